"""Two processes on gloo against one, and what happens when one of them ends."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fakes.processes import MATCHING, one_player, together, train_one
from fakes.training import differing, squares, state_of
from t2i.runs.checkpoints import latest_checkpoint
from t2i.training.sampling import Sampler


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of two processes for every scenario that succeeds."""
    folder = tmp_path_factory.mktemp("processes")
    for ended in together("everything", folder):
        assert ended.code == 0, ended.err
    return folder


def read(folder: Path, name: str) -> list:
    return [json.loads((folder / f"{name}.{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.parametrize("name", MATCHING)
def test_two_processes_with_half_the_batch_are_one_with_the_whole(both: Path, tmp_path: Path, name: str) -> None:
    """Weights, buffers, optimisers and moving average after six steps, although the micro-batches differ too."""
    make, changes = MATCHING[name]
    torch.manual_seed(0)
    train_one(make(), tmp_path / "run", **changes)
    alone, shared = state_of(tmp_path / "run"), state_of(both / "rank0" / name)
    assert alone.keys() == shared.keys()
    for key, tensor in alone.items():
        torch.testing.assert_close(shared[key], tensor, atol=2e-5, rtol=1e-3, msg=key)
    assert differing(alone, shared), "the order of sums differs, so equal bits would mean that nothing was shared"


def test_all_processes_end_early_together(both: Path) -> None:
    assert read(both, "early") == [[4, True], [4, True]]
    assert (both / "early" / "best" / "model.safetensors").is_file()


@pytest.mark.parametrize("name", MATCHING)
def test_losses_are_those_of_the_whole_batch(both: Path, tmp_path: Path, name: str) -> None:
    make, changes = MATCHING[name]
    torch.manual_seed(0)
    train_one(make(), tmp_path / "run", **changes)
    alone, shared = (
        [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
        for run in (tmp_path / "run", both / "rank0" / name)
    )
    for mine, theirs in zip(alone, shared, strict=True):
        assert mine.keys() == theirs.keys()
        for term in (term for term in mine if not term.startswith(("speed/", "waiting/"))):
            assert theirs[term] == pytest.approx(mine[term], rel=1e-3, abs=1e-5), term


@pytest.mark.parametrize("name", MATCHING)
def test_processes_see_disjoint_parts_of_every_step(both: Path, name: str) -> None:
    make, changes = MATCHING[name]
    size, parts = int(str(changes["batch_size"])), int(str(changes.get("accumulate", 1)))
    moves = [
        [[seed for part in calls[first : first + parts] for seed in part] for first in range(0, len(calls), parts)]
        for calls in read(both, name)
    ]
    sampler = Sampler(squares(8), size, 0, mismatch=make().needs_mismatched)
    drawn = {frozenset(sampler.draw(step).seeds.tolist()) for step in range(6)}
    for mine, theirs in zip(*moves, strict=True):
        assert not set(mine) & set(theirs) and frozenset(mine + theirs) in drawn


@hypothesis_settings(deadline=None)
@given(pictures=st.integers(1, 40), count=st.integers(1, 9))
def test_shares_are_consecutive_parts_of_the_draw(pictures: int, count: int) -> None:
    draw = Sampler(squares(8), pictures, 3).draw(1)
    shares = [draw.share(index, count) for index in range(count)]
    for name in ("pictures", "captions", "mismatched", "seeds", "places"):
        assert np.array_equal(np.concatenate([getattr(share, name) for share in shares]), getattr(draw, name))
    sizes = [len(share.pictures) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_keeps_are_copied_from_process_0(both: Path) -> None:
    first, second = read(both, "kept")
    assert first["sentences"] == second["sentences"] == first["seen"] != second["seen"]
    assert first["filled"] is second["filled"] is True


def test_only_the_first_process_writes(both: Path) -> None:
    assert (both / "rank0" / "gan" / "index.html").exists()
    assert not (both / "rank1").exists()


def test_the_elapsed_time_records_the_number_of_processes(both: Path) -> None:
    (device,) = latest_checkpoint(both / "rank0" / "gan").seconds
    assert device.endswith(", 1 thread, 2 processes")


def test_a_run_resumed_in_two_processes_has_the_same_bits(both: Path) -> None:
    """Also with dropout and batch norm, whose statistics are averaged."""
    assert differing(state_of(both / "whole"), state_of(both / "again")) == []
    for whole in (read(both, "whole"), read(both, "again")):
        assert whole[0]["buffers"] == whole[1]["buffers"]
        assert any(name.endswith("running_mean") for name in whole[0]["buffers"])


def test_each_process_has_its_own_dropout(both: Path) -> None:
    first, second = (found["drawn"] for found in read(both, "whole"))
    assert len(first) == len(second) and not set(first) & set(second)


def test_ctrl_c_in_one_stops_both_at_the_same_step(both: Path) -> None:
    (first, finished), (second, _) = read(both, "stopped")
    assert first == second == latest_checkpoint(both / "run").step
    assert 3 <= first <= 5 and not finished


@pytest.mark.parametrize("how", ["raises", "killed"])
def test_when_one_process_ends_the_other_reports_it_and_the_run_can_be_resumed(tmp_path: Path, how: str) -> None:
    first, second = together(how, tmp_path)
    assert second.code == (1 if how == "raises" else -9)
    assert first.code == 2 and "Another process of this run ended" in first.err and "--resume" in first.err
    assert "Traceback" not in first.err
    assert latest_checkpoint(tmp_path / "run").step == 4
    assert train_one(one_player(), tmp_path / "run", steps=6).finished
