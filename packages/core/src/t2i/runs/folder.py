"""The file names in a run folder, defined only here. Imports no torch.

runs/mine/
    run.yaml                       its settings, complete
    checkpoints/step-00001000/     state.safetensors, state.json, snapshot/
    metrics.jsonl                  losses and measurements, a row every `log_every` steps
    best/                          the snapshot of the step that is best on held-out pictures
    samples/step-00001000.png      the prompts drawn at that step
    watched/NAME/step-00001000.png  the technique's own pictures at that step
    losses.png  reference.png      curves; compared with the recipe's reference
    nearest.png                    drawn pictures next to the training pictures most like them
    index.html                     everything on one page
    scores.jsonl                   its scores
    .lock  .lock-holder            held while it is trained, and by which process
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

STEP = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True)
class RunFolder:
    """The paths inside a run folder, whether or not they exist."""

    path: Path

    @classmethod
    def of_snapshot(cls, snapshot: Path) -> RunFolder | None:
        """The run whose checkpoint or best/ is this snapshot; None if the snapshot is elsewhere."""
        checkpoint = snapshot.absolute().parent
        run = cls(checkpoint.parent.parent)
        if snapshot.name == run.best.name:
            run = cls(checkpoint)
            return run if run.settings.is_file() else None
        inside = snapshot.name == "snapshot" and checkpoint.parent == run.checkpoints_folder
        return run if inside and run.settings.is_file() else None

    @property
    def settings(self) -> Path:
        """run.yaml"""
        return self.path / "run.yaml"

    @property
    def lock(self) -> Path:
        """.lock"""
        return self.path / ".lock"

    @property
    def lock_holder(self) -> Path:
        """.lock-holder"""
        return self.path / ".lock-holder"

    @property
    def metrics(self) -> Path:
        """metrics.jsonl"""
        return self.path / "metrics.jsonl"

    @property
    def losses(self) -> Path:
        """losses.png"""
        return self.path / "losses.png"

    @property
    def reference(self) -> Path:
        """reference.png"""
        return self.path / "reference.png"

    @property
    def page(self) -> Path:
        """index.html"""
        return self.path / "index.html"

    @property
    def checkpoints_folder(self) -> Path:
        """checkpoints/"""
        return self.path / "checkpoints"

    def checkpoint(self, step: int) -> Path:
        """The folder of the checkpoint of `step`."""
        return self.checkpoints_folder / _name(step)

    def checkpoints(self) -> dict[int, Path]:
        """The finished checkpoints by step, newest first; temporary folders start with a dot and are ignored."""
        return dict(reversed(_by_step(self.checkpoints_folder.glob("step-*")).items()))

    @property
    def nearest(self) -> Path:
        """nearest.png"""
        return self.path / "nearest.png"

    @property
    def best(self) -> Path:
        """best/"""
        return self.path / "best"

    def sample(self, step: int) -> Path:
        """The sheet of samples drawn at `step`."""
        return self.path / "samples" / f"{_name(step)}.png"

    def samples(self) -> dict[int, Path]:
        """The sheets of samples by step, oldest first."""
        return _by_step((self.path / "samples").glob("step-*.png"))

    def watched(self, name: str, step: int) -> Path:
        """The technique's own sheet called `name` at `step`."""
        return self.path / "watched" / name / f"{_name(step)}.png"

    def all_watched(self) -> dict[str, dict[int, Path]]:
        """The technique's sheets by name, each by step, oldest first."""
        folders = sorted(path for path in (self.path / "watched").glob("*") if path.is_dir())
        found = {folder.name: _by_step(folder.glob("step-*.png")) for folder in folders}
        return {name: sheets for name, sheets in found.items() if sheets}


def snapshot_of(checkpoint: Path) -> Path:
    """The snapshot inside a checkpoint's folder."""
    return checkpoint / "snapshot"


def _name(step: int) -> str:
    return f"step-{step:08d}"


def _by_step(paths: Iterable[Path]) -> dict[int, Path]:
    """The paths named after a step, oldest first; others are ignored."""
    found = {int(match[1]): path for path in paths if (match := STEP.fullmatch(path.name.removesuffix(".png")))}
    return dict(sorted(found.items()))
