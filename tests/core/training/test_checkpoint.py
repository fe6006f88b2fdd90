"""Checkpoints are complete or absent, damaged ones are reported and skipped, a full disk is a one-sentence error."""

from __future__ import annotations

import io
import json
import os
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import pytest
import torch
from torch import nn

from fakes.training import OnePlayer, TwoPhases, differing, settings, squares, state_of, train
from t2i.errors import CheckpointError, OutputError
from t2i.runs.checkpoints import Checkpoint, has_checkpoints, latest_checkpoint
from t2i.training.checkpoint import load_module, load_optimizer, module_tensors, optimizer_tensors, save_checkpoint
from t2i.training.trainer import Trainer


def save(run: Path, step: int, keep: int = 2) -> Path:
    return save_checkpoint(run, step, {"x": torch.full((3,), float(step))}, lambda folder: folder.mkdir(), keep)


def names(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "checkpoints").iterdir())


def truncate(folder: Path) -> None:
    path = folder / "state.safetensors"
    path.write_bytes(path.read_bytes()[:-5])


@contextmanager
def full_disk(allowed_bytes: int) -> Iterator[None]:
    """Limit every file to `allowed_bytes`: beyond that, the kernel refuses writes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (allowed_bytes, hard))
    try:
        with redirect_stderr(io.StringIO()):  # pytest captures it in a file, which could not grow either
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_newest_is_found_and_older_ones_are_deleted(tmp_path: Path) -> None:
    assert not has_checkpoints(tmp_path)
    for step in (9, 10, 100, 1000):
        folder = save(tmp_path, step)
        found = latest_checkpoint(tmp_path)
        assert (found.folder, found.step) == (folder, step)
        assert found.tensors()["x"].tolist() == [step] * 3
    assert names(tmp_path) == ["step-00000100", "step-00001000"]


@pytest.mark.parametrize(
    "damage",
    [
        truncate,
        lambda folder: (folder / "state.safetensors").write_bytes(b""),
        lambda folder: (folder / "state.safetensors").unlink(),
        lambda folder: (folder / "state.json").unlink(),
        lambda folder: (folder / "state.json").write_text("{"),
        lambda folder: (folder / "state.json").write_text("[]"),
        lambda folder: change_fact(folder, "seconds", ["CPU"]),
        lambda folder: (folder / "state.json").write_text('{"format": 99, "step": 2, "sha256": ""}'),
        lambda folder: flip_a_bit(folder / "state.safetensors"),
        lambda folder: (folder / "state.json").write_text("[" * 100_000),
        lambda folder: change_fact(folder, "step", float("inf")),
        lambda folder: change_fact(folder, "step", 7),
        lambda folder: change_fact(folder, "step", int("9" * 400)),
        lambda folder: change_fact(folder, "seconds", {"cpu": int("9" * 400)}),
        lambda folder: change_fact(folder, "\x1b[2J" * 100_000, 0),
        lambda folder: make_fifo(folder / "state.json"),
        lambda folder: make_fifo(folder / "state.safetensors"),
    ],
    ids=[
        "truncated",
        "emptied",
        "no-tensors",
        "no-facts",
        "half-facts",
        "list",
        "no-seconds",
        "other-format",
        "bit-flip",
        "deep",
        "infinite-step",
        "other-step",
        "400-digit-step",
        "400-digit-seconds",
        "huge-name",
        "fifo",
        "tensors-fifo",
    ],
)
def test_a_damaged_checkpoint_is_reported_and_the_previous_one_used(tmp_path: Path, damage) -> None:
    good, bad = save(tmp_path, 1), save(tmp_path, 2)
    damage(bad)
    warnings: list[str] = []
    assert latest_checkpoint(tmp_path, warnings.append) == Checkpoint(good, 1)
    assert len(warnings) == 1 and str(bad) in warnings[0] and "previous checkpoint" in warnings[0]
    assert len(warnings[0]) < 2100 and "\x1b" not in warnings[0]
    damage(good)
    with pytest.raises(CheckpointError, match="no complete checkpoint"):
        latest_checkpoint(tmp_path)
    assert has_checkpoints(tmp_path)  # so the run is an error and does not silently start again


def change_fact(folder: Path, name: str, value: object) -> None:
    path = folder / "state.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_a_temporary_folder_is_ignored_and_removed(tmp_path: Path) -> None:
    save(tmp_path, 1)
    scratch = tmp_path / "checkpoints" / ".step-00000002.abc"
    scratch.mkdir()
    (scratch / "state.safetensors").write_bytes(b"half")
    assert latest_checkpoint(tmp_path).step == 1
    save(tmp_path, 2)
    assert names(tmp_path) == ["step-00000001", "step-00000002"]


@pytest.mark.parametrize("keep", [1, 2])
def test_damaged_newer_checkpoints_never_replace_complete_ones(tmp_path: Path, keep: int) -> None:
    """Step 30 is damaged, so the run resumed from 20 and saves 25: 20 must be kept."""
    save(tmp_path, 20, keep)
    truncate(save(tmp_path, 30, keep=2))
    save(tmp_path, 25, keep)
    assert latest_checkpoint(tmp_path).step == 25
    assert names(tmp_path) == ["step-00000020", "step-00000025"][-keep:]


def test_a_run_resumes_from_the_checkpoint_before_a_damaged_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    train(TwoPhases(dropout=0.2), tmp_path / "run", checkpoint_every=2, keep_checkpoints=3)
    whole = state_of(tmp_path / "run")
    for step in (4, 6):
        truncate(tmp_path / "run" / "checkpoints" / f"step-{step:08d}")
    warnings: list[str] = []
    objective = TwoPhases(dropout=0.2)
    trainer = Trainer(objective, squares(8), settings(), tmp_path / "run", device="cpu", warn=warnings.append)
    assert trainer.fit().finished
    assert [f"step-0000000{step}" in text for step, text in zip((6, 4), warnings, strict=True)] == [True, True]
    assert differing(whole, state_of(tmp_path / "run")) == []


def test_only_damaged_checkpoints_are_an_error_that_changes_nothing(tmp_path: Path) -> None:
    train(OnePlayer(), tmp_path / "run", checkpoint_every=3)
    for folder in (tmp_path / "run" / "checkpoints").iterdir():
        truncate(folder)
    with pytest.raises(CheckpointError, match="no complete checkpoint"):
        train(OnePlayer(), tmp_path / "run")
    assert names(tmp_path / "run") == ["step-00000003", "step-00000006"]


def test_a_full_disk_leaves_no_partial_checkpoint(tmp_path: Path) -> None:
    train(OnePlayer(width=64), tmp_path / "run", steps=2, checkpoint_every=2)
    before = latest_checkpoint(tmp_path / "run")
    with full_disk(20_000), pytest.raises(OutputError, match=r"Cannot write .*step-00000004.*large"):
        train(OnePlayer(width=64), tmp_path / "run", steps=6, checkpoint_every=2)
    assert names(tmp_path / "run") == ["step-00000002"]
    assert latest_checkpoint(tmp_path / "run") == before
    assert train(OnePlayer(width=64), tmp_path / "run", steps=6, checkpoint_every=2).finished


def test_a_checkpoint_is_complete_or_absent_wherever_the_disk_fills(tmp_path: Path) -> None:
    tensors = {"x": torch.randn(100), "y": torch.randn(3000)}

    def snapshot(folder: Path) -> None:
        folder.mkdir()
        (folder / "weights").write_bytes(bytes(15_000))

    outcomes = set()
    for step, allowed in enumerate([0, 1, 50, 100, 400, 4000, 12_000, 12_600, 14_999, 15_000, 20_000], start=1):
        try:
            with full_disk(allowed):
                save_checkpoint(tmp_path, step, tensors, snapshot, keep=2)
        except OutputError as error:
            assert f"step-{step:08d}" in str(error)
            outcomes.add("absent")
            assert not list((tmp_path / "checkpoints").iterdir())
        else:
            outcomes.add("whole")
            assert latest_checkpoint(tmp_path).step == step
    assert outcomes == {"absent", "whole"}


def test_a_full_disk_inside_the_snapshot_leaves_no_partial_checkpoint(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        folder.mkdir()
        (folder / "half").write_text("half")
        raise OSError(28, "No space left on device")

    save(tmp_path, 1)
    with pytest.raises(OutputError, match="No space left on device"):
        save_checkpoint(tmp_path, 2, {"x": torch.zeros(3)}, fail, 2)
    assert names(tmp_path) == ["step-00000001"]


def test_a_disk_too_full_for_the_metrics_is_a_one_sentence_error(tmp_path: Path) -> None:
    train(OnePlayer(), tmp_path / "run", steps=2, checkpoint_every=2, log_every=1)
    size = (tmp_path / "run" / "metrics.jsonl").stat().st_size
    with full_disk(size + 10), pytest.raises(OutputError, match=r"metrics\.jsonl"):
        train(OnePlayer(), tmp_path / "run", steps=6, log_every=1)


def test_a_checkpoint_is_readable_by_others_and_holds_no_pickle(tmp_path: Path) -> None:
    train(TwoPhases(), tmp_path / "run")
    (folder,) = (tmp_path / "run" / "checkpoints").iterdir()
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    snapshot = {"config.json", "model.safetensors", "golden.safetensors", "README.md"}
    assert files == {"state.json", "state.safetensors", *(f"snapshot/{name}" for name in snapshot)}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert json.loads((folder / "state.json").read_text())["step"] == 6


def test_modules_and_optimizers_round_trip_by_name() -> None:
    torch.manual_seed(0)
    one, other = (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)) for _ in range(2))
    one, other = one.to(memory_format=torch.channels_last), other.to(memory_format=torch.channels_last)
    optimizers = [torch.optim.Adam(network.parameters(), 1e-2, fused=True) for network in (one, other)]
    for _ in range(3):
        one(torch.randn(2, 3, 8, 8)).square().sum().backward()
        optimizers[0].step()
    labels = [name for name, _ in one.named_parameters()]
    tensors = module_tensors("m", one) | optimizer_tensors("o", optimizers[0], labels)
    load_module("m", other, tensors)
    load_optimizer("o", optimizers[1], labels, tensors)
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        first, second = optimizers[0].state[mine], optimizers[1].state[theirs]
        assert first.keys() == second.keys()
        for slot in first:
            assert torch.equal(first[slot], second[slot])
            assert first[slot].stride() == second[slot].stride()


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("m.weight"),
        lambda tensors: tensors.update({"m.extra": torch.zeros(1)}),
        lambda tensors: tensors.update({"m.weight": torch.zeros(9)}),
    ],
    ids=["missing", "extra", "shape"],
)
def test_tensors_that_do_not_fit_are_refused(change) -> None:
    tensors = module_tensors("m", nn.Linear(2, 2))
    change(tensors)
    with pytest.raises(CheckpointError, match="does not fit m"):
        load_module("m", nn.Linear(2, 2), tensors)
