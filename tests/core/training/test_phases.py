"""A phase's start, the weights it builds on, and the span of its schedules."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fakes.training import OnePlayer, TwoPhases, Watched, differing, settings, squares, state_of, train
from t2i.images import from_uint8
from t2i.training.config import OptimizerConfig
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i.training.trainer import Trainer


class Remembering(TwoPhases):
    """In its second phase it learns pictures that it was given once, at the start of the phase."""

    def __init__(self, **shape: Any) -> None:
        super().__init__(**shape)
        self.started: list[tuple[str, Tensor]] = []

    @property
    def phases(self) -> Sequence[Phase]:
        copying, duel = super().phases
        starts = {name: lambda images, name=name: self.started.append((name, images)) for name in ("copy", "duel")}
        return [dataclasses.replace(phase, start=starts[phase.name]) for phase in (copying, duel)]

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        (_, images) = self.started[-1]
        return {"remembered": (self.fakes(batch) - from_uint8(images)[batch.pictures]).square().mean()}


def test_each_phase_starts_once_with_all_pictures(tmp_path: Path) -> None:
    objective = Remembering()
    train(objective, tmp_path / "run", steps=6)
    assert [name for name, _ in objective.started] == ["copy", "duel"]
    assert all(torch.equal(images, squares(8).images) for _, images in objective.started)


def test_a_phase_resumed_midway_starts_again_and_ends_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    train(Remembering(), tmp_path / "whole", steps=8)
    for stop in (2, 4, 6):
        run = tmp_path / str(stop)
        torch.manual_seed(0)
        Stopped(Remembering(), run, stop).fit()
        objective = Remembering()
        train(objective, run, steps=8)
        assert [name for name, _ in objective.started] == (["copy", "duel"] if stop < 4 else ["duel"])
        assert not differing(state_of(tmp_path / "whole"), state_of(run))


class Stopped(Trainer):
    """A Trainer that is stopped after `stop` steps."""

    def __init__(self, objective: Objective, run: Path, stop: int) -> None:
        super().__init__(objective, squares(8), settings(steps=8), run, device="cpu")
        self._stop_at = stop

    def one_step(self) -> dict[str, Tensor]:
        if self.step + 1 == self._stop_at:
            self._request_stop()
        return super().one_step()


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_batch_says_which_pictures_it_holds(tmp_path: Path, accumulate: int) -> None:
    seen: list[Batch] = []
    train(Watched(OnePlayer(), lambda player, batch: seen.append(batch)), tmp_path / "run", accumulate=accumulate)
    pictures = from_uint8(squares(8).images)
    assert all(torch.equal(pictures[batch.pictures], batch.images) for batch in seen)


class FrozenStart(TwoPhases):
    """The second phase only trains the generator's last layer."""

    @property
    def phases(self) -> Sequence[Phase]:
        copying, duel = super().phases
        last = Player("last", {"last": self.generator.to_rgb}, self.loss, self.optimizer)
        return [copying, dataclasses.replace(duel, players=[last])]


def test_frozen_layers_get_their_average_at_the_start_of_a_phase(tmp_path: Path) -> None:
    """So training and drawing use the same frozen layers."""
    objective = FrozenStart()
    trainer = Trainer(objective, squares(8), settings(steps=8, ema_half_life_kimg=1), tmp_path / "run", device="cpu")
    between: dict[str, Tensor] = {}
    while trainer.step < 8:
        if trainer.step == 4:
            between = {name: tensor.clone() for name, tensor in trainer.ema.generator.state_dict().items()}
            assert not torch.equal(between["start.weight"], objective.generator.start.weight)
        trainer.one_step()
        trainer.step += 1
    averaged, trained = trainer.ema.generator.state_dict(), objective.generator.state_dict()
    for name in ("start.weight", "start.bias"):
        assert torch.equal(averaged[name], between[name]) and torch.equal(trained[name], between[name])
    assert not torch.equal(averaged["to_rgb.weight"], trained["to_rgb.weight"])


class Spanned(TwoPhases):
    """Each phase's players follow their schedule within the phase."""

    @property
    def phases(self) -> Sequence[Phase]:
        spans = {"copy": (0.0, 0.5), "duel": (0.5, 1.0)}
        return [
            dataclasses.replace(phase, players=[dataclasses.replace(p, span=spans[phase.name]) for p in phase.players])
            for phase in super().phases
        ]


def test_a_player_follows_its_schedule_within_its_span(tmp_path: Path) -> None:
    """Warm-up over two steps and a cosine over four, again in the second phase."""
    optimizer = OptimizerConfig(lr=1e-2, warmup_steps=2, schedule="cosine")
    trainer = Trainer(Spanned(optimizer), squares(8), settings(steps=8), tmp_path / "run", device="cpu")
    rates = []
    for _ in range(8):
        phase, _ = trainer.steps.phase(trainer.step)
        trainer.one_step()
        trainer.step += 1
        mover = next(mover for mover in trainer.steps.movers[phase.name] if mover.player.name == "generator")
        rates.append(mover.optimizer.param_groups[0]["lr"])
    half = [1e-2 * share for share in (0.5, 0.5 + 0.25 * 2**0.5, 0.5, 0.5 - 0.25 * 2**0.5)]
    assert rates == pytest.approx([*half, *half])


def test_a_detached_term_is_logged_and_trains_nothing(tmp_path: Path) -> None:
    torch.manual_seed(0)
    plain = OnePlayer()
    torch.manual_seed(0)
    logged = Watched(OnePlayer(), change=lambda player, terms: {**terms, "size_in_px": torch.tensor(1e6)})
    train(plain, tmp_path / "plain")
    train(logged, tmp_path / "logged")
    assert not differing(state_of(tmp_path / "plain"), state_of(tmp_path / "logged"))
    assert '"generator/size_in_px": 1000000.0' in (tmp_path / "logged" / "metrics.jsonl").read_text()
