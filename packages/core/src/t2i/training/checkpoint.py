"""A run's state on disk: all tensors by name, no pickle, written completely or not at all.

run/checkpoints/step-00001000/
    state.safetensors   modules, optimisers and the moving average, by name
    state.json          step, seconds spent by device and until the first pictures, and state.safetensors' sha256
    snapshot/           the averaged generator, a normal snapshot
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim import Optimizer

from t2i.errors import CheckpointError
from t2i.files import atomic_folder, sha256_of
from t2i.runs.checkpoints import StateFacts
from t2i.runs.folder import RunFolder, snapshot_of

SCALER_STATE = ("scale", "_growth_tracker")


def save_checkpoint(
    run: Path,
    step: int,
    tensors: Mapping[str, Tensor],
    save_snapshot: Callable[[Path], object],
    keep: int,
    seconds: Mapping[str, float] | None = None,
    first_pictures: float | None = None,
) -> Path:
    """Write the checkpoint of `step` and delete all but the newest `keep`.

    Args:
        seconds: training time of the run, by device.
        first_pictures: seconds from the command to its first pictures.

    Raises:
        OutputError: the folder cannot be written; no part of the checkpoint is left behind.
    """
    files = RunFolder(run)
    folder = files.checkpoint(step)
    for remains in folder.parent.glob(".step-*"):  # left by a kill while writing or deleting
        shutil.rmtree(remains)
    for damaged in [
        path for later, path in files.checkpoints().items() if later >= step
    ]:  # a resume must not start there
        _drop(damaged)
    with atomic_folder(folder) as scratch:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, scratch / "state.safetensors")
        sha256 = sha256_of(scratch / "state.safetensors")
        facts = StateFacts(step=step, seconds=dict(seconds or {}), first_pictures=first_pictures, sha256=sha256)
        (scratch / "state.json").write_text(facts.model_dump_json(indent=2) + "\n")
        save_snapshot(snapshot_of(scratch))
    for old in list(files.checkpoints().values())[keep:]:
        _drop(old)
    return folder


def _drop(folder: Path) -> None:
    """Delete a checkpoint; after a kill, no part of it is left under its name."""
    dropped = folder.rename(folder.with_name(f".{folder.name}"))
    shutil.rmtree(dropped)


def module_tensors(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers as "prefix.name"."""
    return {f"{prefix}.{name}": tensor for name, tensor in module.state_dict().items()}


def load_module(prefix: str, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Load what `module_tensors` returned.

    Raises:
        CheckpointError: names or shapes differ.
    """
    try:
        module.load_state_dict(_under(prefix, tensors))
    except RuntimeError as error:
        raise CheckpointError(f"The checkpoint does not fit {prefix}: {error}") from None


def optimizer_tensors(prefix: str, optimizer: Optimizer, names: list[str]) -> dict[str, Tensor]:
    """The optimiser's slots as "prefix.parameter:slot"; `names` are its parameters' names, in its order."""
    state = optimizer.state_dict()["state"]
    return {
        f"{prefix}.{names[index]}:{slot}": torch.as_tensor(value)
        for index, slots in state.items()
        for slot, value in slots.items()
    }


def load_optimizer(prefix: str, optimizer: Optimizer, names: list[str], tensors: Mapping[str, Tensor]) -> None:
    """Load what `optimizer_tensors` returned; the learning rate stays the config's.

    Raises:
        CheckpointError: a slot belongs to no parameter of this optimiser.
    """
    position = {name: index for index, name in enumerate(names)}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in _under(prefix, tensors).items():
        name, _, slot = key.rpartition(":")
        if name not in position:
            raise CheckpointError(f"The checkpoint does not fit {prefix}: {name} is not among its parameters.")
        index = position[name]
        if value.shape == parameters[index].shape:  # fused optimisers need both in the same memory order
            value = torch.empty_like(parameters[index]).copy_(value)
        state.setdefault(index, {})[slot] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def scaler_tensors(scaler: GradScaler | None) -> dict[str, Tensor]:
    """fp16's loss scale and its growth counter, as "scaler.name"; empty at other precisions."""
    state = scaler.state_dict() if scaler is not None else {}
    return {f"scaler.{name}": torch.tensor(state[name]) for name in SCALER_STATE if name in state}


def load_scaler(scaler: GradScaler | None, tensors: Mapping[str, Tensor]) -> None:
    """Load what `scaler_tensors` returned; without it, the scale starts fresh."""
    state = {name: tensor.item() for name, tensor in _under("scaler", tensors).items()}
    if scaler is not None and state:
        scaler.load_state_dict(scaler.state_dict() | state)


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}."): t for name, t in tensors.items() if name.startswith(f"{prefix}.")}
