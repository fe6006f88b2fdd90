"""Checkpoints of other codebases: read without executing code, renamed by a table, and checked to fit exactly."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from t2i.errors import SnapshotError
from t2i.generator import Generator
from t2i.snapshots.torch_file import check_claims
from t2i.text import EncoderIdentity

GeneratorT = TypeVar("GeneratorT", bound=Generator)
PARALLEL = "module."  # prefix that torch.nn.DataParallel adds to every name
COUNTER = "num_batches_tracked"  # of a batch norm; torch before 0.4 had none, and drawing does not use it


@dataclass(frozen=True)
class Converted:
    """The result of a technique's converter.

    Attributes:
        generator: the generator with the checkpoint's weights.
        text_encoder: the one it needs; without a sha256 if it is not installed.
        note: anything else needed to draw with it.
    """

    generator: Generator
    text_encoder: EncoderIdentity | None = None
    note: str = ""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors in a file that `torch.save` wrote, by name, without DataParallel's "module.".

    Nothing in the file is executed (`weights_only=True`).

    Raises:
        SnapshotError: it is missing, not such a file, contains anything but named tensors of finite numbers, or claims
            more data than it has.
    """
    try:
        check_claims(path)
        with warnings.catch_warnings():  # about old or odd formats; the result is checked below
            warnings.simplefilter("ignore")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise SnapshotError(f"There is no file {path}. Give a checkpoint such as netG.pth.") from None
    except Exception as error:  # an untrusted file may raise anything
        if stranger := re.search(r"Unsupported global: GLOBAL ([\w.]{1,100})", str(error)):
            raise SnapshotError(
                f"{path} must contain only tensors, but contains a Python object, {stranger[1]}: probably a pickled "
                f"module, which only its own code can read. Load it with that code and save only the weights: "
                f"torch.save(network.state_dict(), PATH)."
            ) from None
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SnapshotError(
            f"{path} must be a file of tensors written by torch.save, but cannot be read as one: {reason}"
        ) from None
    if not isinstance(found, Mapping) or not found:
        what = "an empty" if isinstance(found, Mapping) else "a"
        raise SnapshotError(
            f"{path} must contain named tensors, but contains {what} {type(found).__name__}. "
            f"Save the network's state_dict()."
        )
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise SnapshotError(
                f"{path} must contain named tensors, but {name!r} is a {type(value).__name__}. "
                f"Save only the network's state_dict()."
            )
        if value.layout != torch.strided or value.is_quantized:
            raise SnapshotError(f"{path} must contain plain tensors, but {name!r} is not one.")
    claimed = sum(value.numel() * value.element_size() for value in found.values())
    if claimed > path.stat().st_size:
        raise SnapshotError(f"{path} claims {claimed:,} bytes of tensors, but has only {path.stat().st_size:,} bytes.")
    for name, value in found.items():
        if not bool(value.isfinite().all()):
            raise SnapshotError(f"Weights must be finite numbers, but some of {name!r} in {path} are not.")
    prefix = PARALLEL if all(name.startswith(PARALLEL) for name in found) else ""
    return {name.removeprefix(prefix): value for name, value in found.items()}


def renamed(tensors: Mapping[str, Tensor], table: Mapping[str, str]) -> dict[str, Tensor]:
    """The tensors under our names.

    Args:
        table: a module's name in the checkpoint -> its name in our generator, such as
            "upsample<n>.1": "ups.<n-1>.0" for every number n.

    Raises:
        SnapshotError: a tensor's module is not in the table; the message names them.
    """
    patterns = [(re.compile(_pattern(theirs)), ours) for theirs, ours in table.items()]
    result, strangers = {}, []
    for name, tensor in tensors.items():
        module, _, rest = name.rpartition(".")
        for pattern, ours in patterns:
            if match := pattern.fullmatch(module):
                result[f"{_placed(ours, match)}.{rest}"] = tensor
                break
        else:
            strangers.append(name)
    if strangers:
        raise SnapshotError(
            f"Every tensor of the checkpoint must belong to a known module, but these do not: {_some(strangers)}. "
            f"The checkpoint is of another network or another version; give the generator's."
        )
    return result


def filled(generator: GeneratorT, tensors: Mapping[str, Tensor]) -> GeneratorT:
    """`generator` filled with exactly these tensors, on the CPU; batch norms' counters may be missing.

    Args:
        generator: best built on torch's "meta" device, so that no memory is allocated for false sizes.

    Raises:
        SnapshotError: a tensor is missing, left over, of the wrong shape or not floating-point.
    """
    wanted = generator.state_dict()
    counters = {n: torch.zeros_like(value, device="cpu") for n, value in wanted.items() if n.endswith(COUNTER)}
    tensors = counters | dict(tensors)
    for problem, names in {
        "are missing": wanted.keys() - tensors.keys(),
        "are unknown": tensors.keys() - wanted.keys(),
        "have the wrong shape": {n for n in wanted.keys() & tensors.keys() if wanted[n].shape != tensors[n].shape},
        "are not floating-point": {
            n for n, value in tensors.items() if not value.is_floating_point() and not n.endswith(COUNTER)
        },
    }.items():
        if names:
            raise SnapshotError(
                f"The checkpoint must fit {generator.technique}, but these tensors {problem}: {_some(names)}. "
                f"Choose the technique and the settings that it was trained with."
            )
    generator.to_empty(device="cpu").load_state_dict(tensors)
    return generator


def axis_size(tensors: Mapping[str, Tensor], name: str, axis: int) -> int:
    """The length of a tensor's axis, to infer a network's sizes from its checkpoint.

    Raises:
        SnapshotError: there is no such tensor, or it has no such axis.
    """
    tensor = tensors.get(name)
    if tensor is None or tensor.dim() <= axis:
        raise SnapshotError(
            f"The checkpoint must hold the tensor {name!r} of the released generator, but does not: it is another "
            f"network, perhaps the discriminator, or another version. Give the checkpoint of netG."
        )
    return tensor.shape[axis]


def numbered(tensors: Mapping[str, Tensor], pattern: str, first: int) -> list[str]:
    """The names that `pattern` gives with `first`, `first` + 1, ... as long as they exist."""
    names: list[str] = []
    while (name := pattern.format(first + len(names))) in tensors:
        names.append(name)
    return names


def _pattern(module: str) -> str:
    return re.sub(r"<(\w)>", r"(?P<\1>0|[1-9]\\d?)", re.escape(module))


def _placed(module: str, match: re.Match[str]) -> str:
    return re.sub(r"<(\w)(-\d)?>", lambda place: str(int(match[place[1]]) + int(place[2] or 0)), module)


def _some(names: Iterable[str]) -> str:
    """At most five names."""
    listed = sorted(names)
    rest = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return ", ".join(listed[:5]) + rest
