"""A stranger's weights, loaded with suspicion: what the file's header says must fit before memory is taken for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from t2i.errors import SnapshotError
from t2i.generator import Generator


def load_weights(build: Callable[[], Generator], path: Path) -> Generator:
    """What `build` makes, holding the tensors of the safetensors file `path`, every key used.

    Raises:
        SnapshotError: the file is no safetensors, does not fit what `build` makes, or holds weights that are not
            finite; or nothing can be built.
    """
    try:
        _check_fit(build, _empty_tensors(path), path)
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise SnapshotError(f"{path} is no readable safetensors file ({error}).") from None
    try:
        generator = build()
    except Exception as error:  # a technique may raise anything of a config that only looks right
        raise SnapshotError(
            f"A config's values suit each other and this machine, but from the one beside {path} nothing can be "
            f"built ({type(error).__name__}: {error})."
        ) from None
    _load(generator, tensors, path)
    _check_finite(generator, path)
    return generator


def _empty_tensors(path: Path) -> dict[str, Tensor]:
    """The file's tensors by name, without their content."""
    with safe_open(path, framework="pt") as file:
        return {name: torch.empty(file.get_slice(name).get_shape(), device="meta") for name in file.keys()}  # noqa: SIM118


def _check_fit(build: Callable[[], Generator], tensors: dict[str, Tensor], path: Path) -> None:
    """Refuse a config that asks for more than the file holds, such as a layer of a million channels."""
    try:
        with torch.device("meta"):
            skeleton = build()
    except Exception:  # some networks cannot be built without memory; then loading says what does not fit
        return
    _load(skeleton, tensors, path)


def _load(generator: Generator, tensors: dict[str, Tensor], path: Path) -> None:
    try:
        generator.load_state_dict(tensors)
    except RuntimeError as error:
        raise SnapshotError(f"The weights in {path.parent} do not fit their config: {error}") from None


def _check_finite(generator: Generator, path: Path) -> None:
    parameters = dict(generator.named_parameters())
    for name, value in generator.state_dict().items():
        sound = value.isfinite() if name in parameters else ~value.isnan()  # a mask in a buffer may be infinite
        if not sound.all():
            raise SnapshotError(f"Weights are finite numbers, but some of {name!r} in {path} are not.")
