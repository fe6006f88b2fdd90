"""The results of `Phase.watch` during training."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from fakes.training import TwoPhases, differing, settings, squares, state_of, train
from t2i.errors import TrainingError
from t2i.images import from_uint8
from t2i.runs.folder import RunFolder
from t2i.training.objective import Batch, Phase
from t2i.training.trainer import Trainer

Watch = Callable[[Batch], Mapping[str, Tensor]]


class Shown(TwoPhases):
    """Watches its copies in the first phase, and nothing in the second."""

    def __init__(self, watch: Watch | None = None) -> None:
        super().__init__(dropout=0.5, norm=True)
        self.seen: list[Batch] = []
        self._watch = watch or self.look

    @property
    def phases(self) -> Sequence[Phase]:
        copying, duel = super().phases
        return [dataclasses.replace(copying, watch=self._watch), duel]

    def look(self, batch: Batch) -> Mapping[str, Tensor]:
        self.seen.append(batch)
        drawn = self.fakes(batch)
        assert not drawn.requires_grad and not self.generator.training and not self.critic.training
        return {"copies": drawn, "distance": (drawn - batch.images).square().mean() + 0 * torch.rand(())}


def test_scalars_are_logged_and_pictures_saved_whenever_samples_are_drawn(tmp_path: Path) -> None:
    objective, run = Shown(), RunFolder(tmp_path / "run")
    train(objective, run.path, steps=8, sample_every=2, log_every=3)
    rows = {row["step"]: row for row in map(json.loads, run.metrics.read_text().splitlines())}
    assert [step for step, row in rows.items() if "watch/distance" in row] == [2, 4]
    assert {name: list(sheets) for name, sheets in run.all_watched().items()} == {"copies": [2, 4]}
    first, second = objective.seen
    data = squares(8)
    assert torch.equal(first.images, from_uint8(data.images)) and torch.equal(second.images, first.images)
    assert first.captions == tuple(data.caption_texts[captions[0]] for captions in data.captions_of)
    with Image.open(run.watched("copies", 4)) as sheet:
        assert min(sheet.size) > 3 * 96
    page = run.page.read_text()
    assert "<h2>copies at step 4</h2>" in page and 'src="watched/copies/step-00000004.png"' in page


def test_watching_changes_no_bit_of_the_run(tmp_path: Path) -> None:
    for name, sample_every in (("watched", 1), ("unwatched", 0)):
        torch.manual_seed(0)
        train(Shown(), tmp_path / name, steps=8, sample_every=sample_every)
    assert not differing(state_of(tmp_path / "watched"), state_of(tmp_path / "unwatched"))


class StoppedAtThree(Trainer):
    """A Trainer that is stopped after three steps."""

    def __init__(self, objective: Shown, run: Path) -> None:
        super().__init__(objective, squares(8), settings(steps=8, sample_every=2), run, device="cpu")

    def one_step(self) -> dict[str, Tensor]:
        if self.step == 2:
            self._request_stop()
        return super().one_step()


def test_a_resumed_run_shows_the_same_as_an_uninterrupted_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    train(Shown(), tmp_path / "whole", steps=8, sample_every=2)
    torch.manual_seed(0)
    assert StoppedAtThree(Shown(), tmp_path / "run").fit().step == 3
    train(Shown(), tmp_path / "run", steps=8, sample_every=2)
    whole, resumed = (RunFolder(tmp_path / name).watched("copies", 4).read_bytes() for name in ("whole", "run"))
    assert whole == resumed


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ({"../up": torch.zeros(())}, r"got '\.\./up'"),
        ({"maps": torch.zeros(4, 1, 8, 8)}, r"got 'maps' of shape \[4, 1, 8, 8\]"),
    ],
)
def test_an_invalid_watch_result_is_a_one_sentence_error(
    tmp_path: Path, found: Mapping[str, Tensor], says: str
) -> None:
    with pytest.raises(TrainingError, match=says):
        train(Shown(lambda batch: found), tmp_path / "run", steps=4, sample_every=2)


def test_a_run_without_samples_writes_rows_and_checkpoints(tmp_path: Path) -> None:
    objective = Shown()
    train(objective, tmp_path / "run", steps=4)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["checkpoints", "metrics.jsonl"]
    assert not objective.seen
