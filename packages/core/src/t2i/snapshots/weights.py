"""Load untrusted weights safely: the file's header must fit before memory is allocated for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from t2i.errors import SnapshotError
from t2i.files import regular
from t2i.generator import Generator
from t2i.uninitialised import Uninitialised


def load_weights(build: Callable[[], Generator], path: Path) -> Generator:
    """The generator that `build` makes, with the tensors of the safetensors file `path`; every key must match.

    Raises:
        SnapshotError: the file is not safetensors, does not fit the generator, or has weights that are not finite;
            or the generator cannot be built.
    """
    try:
        _check_fit(build, _empty_tensors(path), path)
        tensors = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise SnapshotError(f"{path} is not a readable safetensors file ({error}).") from None
    try:
        with Uninitialised():
            generator = build()
    except Exception as error:  # a technique may raise anything for an unsuitable config
        raise SnapshotError(
            f"A config must describe a model that this machine can build, but the one next to {path} "
            f"does not ({type(error).__name__}: {error})."
        ) from None
    _load(generator, tensors, path)
    _check_finite(generator, path)
    return generator


def check_header(path: Path) -> None:
    """Refuse a file whose header is damaged or describes another amount of data than the file has.

    Raises:
        SafetensorError, OSError: what is wrong with it.
    """
    with safe_open(regular(path), framework="pt"):
        pass


def _empty_tensors(path: Path) -> dict[str, Tensor]:
    """The file's tensors by name, without their content."""
    with safe_open(regular(path), framework="pt") as file:
        return {name: torch.empty(file.get_slice(name).get_shape(), device="meta") for name in file.keys()}  # noqa: SIM118


def _check_fit(build: Callable[[], Generator], tensors: dict[str, Tensor], path: Path) -> None:
    """Refuse a config that needs more tensors than the file has, such as a layer of a million channels."""
    try:
        with torch.device("meta"), Uninitialised():
            skeleton = build()
    except Exception:  # some networks cannot be built on the meta device; then loading reports what does not fit
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
            raise SnapshotError(f"Weights must be finite numbers, but some of {name!r} in {path} are not.")
