"""A run's training time: summed over resumes, recorded by device, and without effect on the training."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from fakes.training import OnePlayer, Watched, differing, state_of, train
from t2i.runs.checkpoints import latest_checkpoint
from t2i.snapshots.resolve import resolve
from t2i.training import elapsed_time, trainer
from t2i.training.elapsed_time import device_name
from t2i.training.objective import Batch, Player

STEP = 10.0  # seconds per step of these runs


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that only advances in the losses of `slow`."""
    now = [1000.0]
    monkeypatch.setattr(elapsed_time, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def slow(clock: list[float], dies_at: int = 0) -> Watched:
    """A toy objective whose losses take STEP seconds each, and which is killed in its `dies_at`-th loss."""
    torch.manual_seed(0)
    calls: list[str] = []

    def before(player: Player, batch: Batch) -> None:
        clock[0] += STEP
        calls.append(player.name)
        if len(calls) == dies_at:
            raise KeyboardInterrupt

    return Watched(OnePlayer(), before)


def on(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "device_name", lambda *_: device)


def test_seconds_are_summed_over_a_kill_and_its_resume(
    clock: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on("this", monkeypatch)
    train(slow(clock), tmp_path / "whole", checkpoint_every=2)
    with pytest.raises(KeyboardInterrupt):
        train(slow(clock, dies_at=6), tmp_path / "run", checkpoint_every=2)
    assert latest_checkpoint(tmp_path / "run").seconds == {"this": 4 * STEP}
    clock[0] += 86_400  # until it is resumed
    train(slow(clock), tmp_path / "run", checkpoint_every=2)
    for run in ("whole", "run"):
        assert latest_checkpoint(tmp_path / run).seconds == {"this": 6 * STEP}
        assert resolve(str(tmp_path / run)).config.facts.training_seconds == {"this": 6 * STEP}


def test_each_device_has_its_own_seconds(clock: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for device, steps in (("one", 2), ("other", 5), ("one", 6)):
        on(device, monkeypatch)
        train(slow(clock), tmp_path / "run", steps=steps)
    assert latest_checkpoint(tmp_path / "run").seconds == {"one": 3 * STEP, "other": 3 * STEP}
    card = (latest_checkpoint(tmp_path / "run").snapshot / "README.md").read_text()
    assert "| training took | 30 s on one; then 30 s on other |" in card


def test_runs_of_different_duration_have_the_same_weights(clock: list[float], tmp_path: Path) -> None:
    train(slow(clock), tmp_path / "slow")
    torch.manual_seed(0)
    train(OnePlayer(), tmp_path / "fast")
    one, other = (latest_checkpoint(tmp_path / run) for run in ("slow", "fast"))
    assert list(one.seconds.values()) != list(other.seconds.values())
    assert differing(state_of(tmp_path / "slow"), state_of(tmp_path / "fast")) == []
    for file in ("state.safetensors", "snapshot/model.safetensors", "snapshot/golden.safetensors"):
        assert (one.folder / file).read_bytes() == (other.folder / file).read_bytes()


def test_a_checkpoint_without_seconds_is_resumed(clock: list[float], tmp_path: Path) -> None:
    train(slow(clock), tmp_path / "run", steps=2)
    path = latest_checkpoint(tmp_path / "run").folder / "state.json"
    facts = json.loads(path.read_text())
    del facts["seconds"]
    path.write_text(json.dumps(facts))
    train(slow(clock), tmp_path / "run", steps=6)
    assert sum(latest_checkpoint(tmp_path / "run").seconds.values()) == 4 * STEP


@pytest.mark.skipif(not shutil.which("lscpu"), reason="compares with lscpu")
def test_a_cpu_has_the_name_that_lscpu_shows() -> None:
    listed = subprocess.run(["lscpu"], capture_output=True, text=True, env={"LC_ALL": "C"}).stdout
    models = [line.partition(":")[2].strip() for line in listed.splitlines() if line.startswith("Model name")]
    count = torch.get_num_threads()
    if models and models[0] != "-":
        assert device_name(torch.device("cpu")) == f"{models[0]}, {count} thread{'s' if count > 1 else ''}"


def test_a_cpu_has_a_name_without_proc_cpuinfo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elapsed_time, "CPU_INFO", tmp_path / "none")
    name, threads = device_name(torch.device("cpu")).split(", ")
    assert name and threads.endswith(("thread", "threads"))


def test_gpus_are_recorded_with_name_and_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    assert device_name(torch.device("cuda:1")) == "GPU 1"
    assert device_name(torch.device("cuda:0"), processes=2) == "GPU 0, 2 processes"
    assert device_name(torch.device("mps")) == "mps"
