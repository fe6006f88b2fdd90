"""A run that is killed and resumed ends in the same bits as one that is not; and disks that fill up.

Every technique's conformance suite tests its resume. Kills only concern the Trainer, so they are tested with a GAN of
one phase and a technique that trains two networks in turn.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from fakes.processes import in_child
from fakes.training import OnePlayer, differing, state_of, train, write_squares
from t2i.errors import OutputError
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec
from t2i.runs.checkpoints import latest_checkpoint
from t2i.training import run, trainer
from t2i.training.batches import BatchMaker
from t2i.training.checkpoint import save_checkpoint

OBJECTIVES = ("cgan", "transformer")
STEPS = 8
DISK = 2 * 2**20
TRAIN = {
    "steps": STEPS,
    "batch_size": 6,  # of eight squares, so that an epoch ends within a step
    "accumulate": 2,
    "checkpoint_every": 2,
    "sample_every": STEPS,
    "log_every": 3,
    "tracker": "none",
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_between_micro_batches() -> None:
    """Kill -9 in step 5, after the first half of its first player's gradient."""
    make = BatchMaker.make
    calls: list[int] = []

    def dying(*arguments: Any, **options: Any) -> Iterator[Any]:
        calls.append(1)
        for part, batch in enumerate(make(*arguments, **options)):
            if part == 1 and trainer_of_child[0].step == 5:
                die()
            yield batch

    BatchMaker.make = dying  # type: ignore[method-assign]  # only in the child


def die_inside_the_checkpoint() -> None:
    """Kill -9 while the checkpoint of step 6 is written: its tensors are on disk, its snapshot is not."""
    save = trainer.save_snapshot

    def dying(generator: Any, folder: Path, facts: Any) -> Path:
        if facts.steps == 6:
            die()
        return save(generator, folder, facts)

    trainer.save_snapshot = dying  # only in the child


trainer_of_child: list[trainer.Trainer] = []


def start(settings: dict[str, Any], out: Path, before: Callable[[], None] = lambda: None) -> None:
    before()
    init = trainer.Trainer.__init__

    def watched(self: trainer.Trainer, *arguments: Any, **options: Any) -> None:
        trainer_of_child.append(self)
        init(self, *arguments, **options)

    trainer.Trainer.__init__ = watched  # type: ignore[method-assign]  # only in the child
    run.start(settings, out, device="cpu")


def test_every_objective_ships_a_tiny_recipe() -> None:
    """The test below trains with it."""
    for spec, _ in registry().all(ModelSpec):
        assert not spec.objective or "tiny" in spec.recipes, f"{spec.name} ships no recipe 'tiny'"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_squares(tmp_path_factory.mktemp("exactness") / "squares")


@pytest.mark.parametrize("technique", OBJECTIVES)
def test_a_killed_and_resumed_run_has_the_same_bits(
    technique: str, data: Path, tmp_path: Path, fakes_installed: None
) -> None:
    """k steps, kill -9, and the rest: mid-epoch and mid-accumulation, and again inside a checkpoint."""
    recipe = run.read_recipe(technique, "tiny")
    recipe["model"] = {name: value for name, value in recipe.get("model", {}).items() if name != "text_dim"}
    settings = recipe | {"technique": technique, "data": str(data), "text_encoder": "fake"}
    settings["train"] = recipe.get("train", {}) | TRAIN
    assert in_child(lambda: start(settings, tmp_path / "whole")) == 0
    whole = state_of(tmp_path / "whole")
    for before in (die_between_micro_batches, die_inside_the_checkpoint):
        out = tmp_path / before.__name__
        assert os.WTERMSIG(in_child(lambda: start(settings, out, before))) == signal.SIGKILL  # noqa: B023
        assert latest_checkpoint(out).step == 4
        assert in_child(lambda: run.resume(out, device="cpu")) == 0  # noqa: B023
        assert differing(whole, state_of(out)) == []
        assert {path.name for path in (out / "checkpoints").iterdir()} == {"step-00000006", "step-00000008"}


def test_every_checkpoint_is_complete_after_kills_at_random_moments(tmp_path: Path) -> None:
    """A process that only writes checkpoints is killed a dozen times."""
    tensors = {f"x{i}": torch.randn(100, 1000) for i in range(8)}
    step = 1

    def write_on() -> None:
        for number in range(step, 10**6):
            save_checkpoint(tmp_path, number, tensors, lambda folder: folder.mkdir(), keep=3)

    for _ in range(12):
        in_child(write_on, kill_after=random.uniform(0.02, 0.3))
        found = sorted((tmp_path / "checkpoints").glob("step-*")) if (tmp_path / "checkpoints").exists() else []
        for folder in reversed(found):
            warnings: list[str] = []
            assert latest_checkpoint(tmp_path, warnings.append).folder == folder and not warnings
            shutil.rmtree(folder)
        step += 100
    save_checkpoint(tmp_path, step, tensors, lambda folder: folder.mkdir(), keep=3)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [f"step-{step:08d}"], (
        "temporary folders are removed"
    )


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A tmpfs of DISK bytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", disk], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here ({mounted.stderr.strip()})")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_ends_the_run_and_keeps_the_last_complete_checkpoint(small_disk: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    train(OnePlayer(width=16), tmp_path / "whole", checkpoint_every=2)
    torch.manual_seed(0)
    folder = small_disk / "run"
    needed = sum(path.stat().st_size for path in (tmp_path / "whole" / "checkpoints" / "step-00000006").rglob("*"))
    (small_disk / "filler").write_bytes(bytes(DISK - int(1.6 * needed)))
    with pytest.raises(OutputError, match=r"Cannot write .*step-0000000[24].*(No space|space)"):
        train(OnePlayer(width=16), folder, checkpoint_every=2)
    assert [path.name for path in (folder / "checkpoints").iterdir()] == ["step-00000002"]
    assert latest_checkpoint(folder).step == 2
    (small_disk / "filler").unlink()
    assert train(OnePlayer(width=16), folder, checkpoint_every=2, keep_checkpoints=1).finished
    assert differing(state_of(tmp_path / "whole"), state_of(folder)) == []
