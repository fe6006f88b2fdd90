"""Reads the checkpoints of a run folder; training/checkpoint.py writes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from t2i.errors import CheckpointError
from t2i.files import sha256_of
from t2i.runs.folder import RunFolder, snapshot_of

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk whose hash has been verified.

    Attributes:
        seconds: time spent until then, by device; the only value that differs between two runs of the same steps.
    """

    folder: Path
    step: int
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)

    @property
    def snapshot(self) -> Path:
        return snapshot_of(self.folder)

    def tensors(self) -> dict[str, Tensor]:
        return load_file(self.folder / "state.safetensors")


def has_checkpoints(run: Path) -> bool:
    """Whether this run ever finished a checkpoint, even if it is damaged now."""
    return bool(RunFolder(run).checkpoints())


def latest_checkpoint(run: Path, warn: Callable[[str], None] = lambda message: None) -> Checkpoint:
    """The newest complete checkpoint of a run; damaged newer ones are reported through `warn`.

    Raises:
        CheckpointError: there is none.
    """
    for folder in RunFolder(run).checkpoints().values():
        try:
            return _verified(folder)
        except CheckpointError as error:
            warn(f"{error} Falling back to the previous checkpoint.")
    raise CheckpointError(
        f"{run} has no complete checkpoint, so it cannot be used as a model or resumed. "
        f"Train at least until the first checkpoint is written."
    )


def _verified(folder: Path) -> Checkpoint:
    try:
        facts = json.loads((folder / "state.json").read_text())
        whole = facts["format"] == FORMAT and sha256_of(folder / "state.safetensors") == facts["sha256"]
        step = int(facts["step"])
        seconds = {str(device): float(spent) for device, spent in facts.get("seconds", {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"The checkpoint {folder} is damaged ({error}).") from None
    if not whole:
        raise CheckpointError(f"The checkpoint {folder} is damaged (its sha256 does not match the recorded one).")
    return Checkpoint(folder, step, seconds)
