"""Reads the checkpoints of a run folder; training/checkpoint.py writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field, NonNegativeFloat
from safetensors.torch import load_file
from torch import Tensor

from t2i.config import Config, Sha256, parse_config
from t2i.errors import CheckpointError, InvalidConfigError
from t2i.files import read_json, regular, sha256_of
from t2i.runs.folder import RunFolder, snapshot_of

FORMAT: Literal[1] = 1
MAX_STATE_BYTES = 1_000_000  # of state.json


class StateFacts(Config):
    """state.json."""

    format: Literal[1] = FORMAT
    step: int
    seconds: dict[str, NonNegativeFloat] = Field(default_factory=dict)
    first_pictures: NonNegativeFloat | None = None
    sha256: Sha256


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk whose hash has been verified.

    Attributes:
        seconds: time spent until then, by device.
        first_pictures: seconds from the command to its first pictures, if they were drawn. These times are the only
            values that differ between two runs of the same steps.
    """

    folder: Path
    step: int
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)
    first_pictures: float | None = field(default=None, compare=False)

    @property
    def snapshot(self) -> Path:
        return snapshot_of(self.folder)

    def tensors(self) -> dict[str, Tensor]:
        return load_file(regular(self.folder / "state.safetensors"))


def has_checkpoints(run: Path) -> bool:
    """Whether this run ever finished a checkpoint, even if it is damaged now."""
    return bool(RunFolder(run).checkpoints())


def latest_checkpoint(run: Path, warn: Callable[[str], None] = lambda message: None) -> Checkpoint:
    """The newest complete checkpoint of a run; damaged newer ones are reported through `warn`.

    Raises:
        CheckpointError: there is none.
    """
    for step, folder in RunFolder(run).checkpoints().items():
        try:
            return _verified(folder, step)
        except CheckpointError as error:
            warn(f"{error} Falling back to the previous checkpoint.")
    consequence = "used as a model or resumed. Begin another run."
    if not has_checkpoints(run):
        consequence = f"used as a model. Train until the first one is written: t2i train --resume {run}"
    raise CheckpointError(f"{run} has no complete checkpoint, so it cannot be {consequence}")


def _verified(folder: Path, step: int) -> Checkpoint:
    def damaged(reason: object) -> CheckpointError:
        return CheckpointError(f"The checkpoint {folder} is damaged ({reason}).")

    try:
        facts = parse_config(StateFacts, dict(read_json(folder / "state.json", MAX_STATE_BYTES)), "state.json")
        sha256 = sha256_of(folder / "state.safetensors")
    except OSError as error:
        raise damaged(f"{Path(error.filename).name}: {error.strerror}") from None
    except (ValueError, TypeError, InvalidConfigError) as error:
        raise damaged(error) from None
    if facts.step != step:
        raise damaged(f"its state.json is that of step {facts.step}")
    if sha256 != facts.sha256:
        raise damaged("its sha256 does not match the recorded one")
    return Checkpoint(folder, step, facts.seconds, facts.first_pictures)
