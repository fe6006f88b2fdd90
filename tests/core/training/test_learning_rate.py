"""Schedules against torch's and their closed forms."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR, LambdaLR, LinearLR, StepLR

from fakes.training import OnePlayer, settings, squares
from t2i.training.config import OptimizerConfig
from t2i.training.objective import Phase
from t2i.training.schedule import learning_rate
from t2i.training.trainer import Trainer


def reference(scheduler: type, lr: float, steps: int, **settings: object) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    schedule = scheduler(optimizer, **settings)
    rates = []
    for _ in range(steps):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    return rates


def ours(config: OptimizerConfig, steps: int, batch_size: int = 8) -> list[float]:
    return [learning_rate(config, step, steps, batch_size) for step in range(steps)]


def test_cosine_is_torchs() -> None:
    config = OptimizerConfig(lr=3e-3, schedule="cosine")
    assert ours(config, 50) == pytest.approx(reference(CosineAnnealingLR, 3e-3, 50, T_max=50), rel=1e-9)


def test_halving_is_torchs_step_schedule() -> None:
    config = OptimizerConfig(lr=1e-3, schedule="halving", halve_every_kimg=0.08)  # 80 pictures: 10 steps of 8
    assert ours(config, 35) == pytest.approx(reference(StepLR, 1e-3, 35, step_size=10, gamma=0.5))


def test_the_papers_halving() -> None:
    """Recipe `paper`: halved every 100 epochs of 8,855 pictures, which is every 13,836 steps of 64 (885,500 / 64)."""
    config = OptimizerConfig(lr=2e-4, schedule="halving", halve_every_kimg=885.5)
    rates = {step: learning_rate(config, step, 83_000, 64) for step in (0, 13_835, 13_836, 27_671, 27_672)}
    assert rates == {0: 2e-4, 13_835: 2e-4, 13_836: 1e-4, 27_671: 1e-4, 27_672: 0.5e-4}


def test_constant_is_constant() -> None:
    assert set(ours(OptimizerConfig(lr=1e-3), 20)) == {1e-3}


def test_warmup_is_torchs_linear_warmup() -> None:
    config = OptimizerConfig(lr=1e-3, warmup_steps=10)
    wanted = reference(LinearLR, 1e-3, 20, start_factor=0.1, end_factor=1.0, total_iters=9)
    assert ours(config, 20) == pytest.approx(wanted)


def test_warmup_multiplies_the_schedule() -> None:
    config = OptimizerConfig(lr=1e-3, warmup_steps=10, schedule="cosine")
    cosine = reference(CosineAnnealingLR, 1e-3, 30, T_max=30)
    wanted = [rate * min(1, (step + 1) / 10) for step, rate in enumerate(cosine)]
    assert ours(config, 30) == pytest.approx(wanted)


def test_the_smallest_halving_does_not_divide_by_zero() -> None:
    assert learning_rate(OptimizerConfig(schedule="halving", halve_every_kimg=1e-9), 0, 10, 8) == 2e-4
    wanted = reference(LambdaLR, 2e-4, 5, lr_lambda=lambda step: 0.5**step)
    config = OptimizerConfig(lr=2e-4, schedule="halving", halve_every_kimg=0.008)
    assert ours(config, 5) == pytest.approx(wanted)


def test_a_schedule_runs_within_the_players_span(tmp_path: Path) -> None:
    """A technique that trains one network after another starts each at its peak rate."""
    config = OptimizerConfig(lr=3e-3, schedule="cosine")

    class Spanned(OnePlayer):
        @property
        def phases(self) -> list[Phase]:
            (phase,) = super().phases
            (player,) = phase.players
            halves = [("first", (0.0, 0.4)), ("second", (0.4, 1.0))]
            return [
                Phase(name, [dataclasses.replace(player, span=span)], share=span[1] - span[0]) for name, span in halves
            ]

    objective = Spanned(config)
    data = squares(objective.generator.resolution)
    trainer = Trainer(objective, data, settings(steps=50), tmp_path / "run", device="cpu")
    rates = []
    for _ in range(50):
        phase, _ = trainer.steps.phase(trainer.step)
        trainer.one_step()
        trainer.step += 1
        mover = next(mover for mover in trainer.steps.movers[phase.name] if mover.player.name == "generator")
        rates.append(mover.optimizer.param_groups[0]["lr"])
    wanted = [rate for steps in (20, 30) for rate in reference(CosineAnnealingLR, 3e-3, steps, T_max=steps)]
    assert rates == pytest.approx(wanted, rel=1e-9)
