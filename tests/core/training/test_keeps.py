"""An objective's `keeps`, and the modules that a phase does not train."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fakes.training import OnePlayer, TwoPhases, differing, settings, squares, state_of, train
from t2i.errors import TrainingError
from t2i.training.objective import Batch, Phase, Player
from t2i.training.trainer import Trainer


class Queue(nn.Module):
    """A buffer of the newest six sentences."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("sentences", torch.zeros(6, 8))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))


class Teacher(OnePlayer):
    """Learns from its own slow average, which has batch norm, and from a queue."""

    def __init__(self, **shape: Any) -> None:
        super().__init__(norm=True, **shape)
        self.teacher = copy.deepcopy(self.generator)
        self.queue = Queue()
        self.keeps = {"teacher": self.teacher, "queue": self.queue}
        self.modes: set[bool] = set()

    def loss(self, batch: Batch) -> Mapping[str, Tensor]:
        terms = dict(super().loss(batch))
        self.modes |= {self.teacher.training, self.queue.training}
        wanted = self.teacher(batch.text.sentence, batch.noise.normal(4))
        terms["taught"] = (self.generator(batch.text.sentence, batch.noise.normal(4)) - wanted).square().mean()
        terms["remembered"] = self.queue.sentences.mean() * terms["taught"]
        with torch.no_grad():
            self.queue.sentences.copy_(batch.text.sentence)
            self.queue.seen += len(batch.images)
            for slow, fast in zip(self.teacher.parameters(), self.generator.parameters(), strict=True):
                slow.lerp_(fast, 0.5)
        return terms


def test_keeps_are_in_eval_mode_never_trained_and_checkpointed(tmp_path: Path) -> None:
    torch.manual_seed(0)
    objective = Teacher()
    train(objective, tmp_path / "run", steps=4)
    assert objective.modes == {False}
    assert not any(parameter.requires_grad for parameter in objective.teacher.parameters())
    state = state_of(tmp_path / "run")
    assert torch.equal(state["keep.teacher.start.weight"], objective.teacher.start.weight)
    assert torch.equal(state["keep.queue.sentences"], objective.queue.sentences)
    assert state["keep.queue.seen"] == 4 * 6
    assert state["keep.teacher.norm.running_mean"].eq(0).all()  # it drew 4 batches, and its statistics are unchanged
    assert not any(name.startswith("optimizer") and "teacher" in name for name in state)


def test_keeps_are_restored_at_a_resume(tmp_path: Path) -> None:
    torch.manual_seed(0)
    train(Teacher(), tmp_path / "whole", steps=6)
    torch.manual_seed(0)
    train(Teacher(), tmp_path / "run", steps=3)
    torch.manual_seed(1)  # another teacher
    train(Teacher(), tmp_path / "run", steps=6)
    assert not differing(state_of(tmp_path / "whole"), state_of(tmp_path / "run"))


class FrozenNorm(TwoPhases):
    """The second phase draws with the whole generator, and trains only its last layer."""

    def __init__(self) -> None:
        super().__init__(norm=True, dropout=0.5)
        self.modes: list[tuple[bool, bool, bool]] = []

    @property
    def phases(self) -> Sequence[Phase]:
        copying, duel = super().phases
        last = Player("last", {"last": self.generator.to_rgb}, self.loss, self.optimizer)
        return [copying, dataclasses.replace(duel, players=[last])]

    def loss(self, batch: Batch) -> Mapping[str, Tensor]:
        generator = self.generator
        self.modes.append((generator.training, generator.norm.training, generator.to_rgb.training))
        return super().loss(batch)


def test_modules_without_a_player_in_the_phase_are_in_eval_mode(tmp_path: Path) -> None:
    """A frozen batch norm neither uses the batch's statistics nor updates its own."""
    objective = FrozenNorm()
    trainer = Trainer(objective, squares(8), settings(steps=6), tmp_path / "run", device="cpu")
    statistics = []
    for _ in range(6):
        trainer.one_step()
        trainer.step += 1
        statistics.append(objective.generator.norm.running_mean.clone())
    assert objective.modes == [(True, True, True)] * 3 + [(False, False, True)] * 3
    assert not torch.equal(statistics[1], statistics[2])
    assert all(torch.equal(statistics[2], later) for later in statistics[3:])


class PartlyTrained(OnePlayer):
    """A generator whose first layer is never trained."""

    @property
    def phases(self) -> Sequence[Phase]:
        return [Phase("last", [Player("last", {"last": self.generator.to_rgb}, self.loss, self.optimizer)])]


def test_untrained_layers_of_the_generator_are_restored_at_a_resume(tmp_path: Path) -> None:
    torch.manual_seed(0)
    train(PartlyTrained(), tmp_path / "whole", steps=6)
    torch.manual_seed(0)
    train(PartlyTrained(), tmp_path / "run", steps=3)
    torch.manual_seed(1)
    again = PartlyTrained()
    train(again, tmp_path / "run", steps=6)
    whole = state_of(tmp_path / "whole")
    assert not differing(whole, state_of(tmp_path / "run"))
    assert torch.equal(again.generator.start.weight, whole["ema.start.weight"])


def test_a_player_may_not_train_what_is_kept(tmp_path: Path) -> None:
    objective = OnePlayer()
    objective.keeps = {"layer": objective.generator.start}
    with pytest.raises(TrainingError, match="a player trains parameters of 'layer'"):
        train(objective, tmp_path / "run")
    objective.keeps = {"generator": nn.Linear(1, 1)}
    with pytest.raises(TrainingError, match="'generator' is used 2 times"):
        train(objective, tmp_path / "run")
