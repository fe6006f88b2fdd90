"""Learning-rate schedules as closed forms, so there is no state to save."""

from __future__ import annotations

import math

from t2i.training.config import OptimizerConfig


def learning_rate(config: OptimizerConfig, step: int, steps: int, batch_size: int) -> float:
    """The learning rate of step `step` (from 0) of `steps`."""
    warmup = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    match config.schedule:
        case "halving":
            return config.lr * warmup * 0.5 ** (step * batch_size // max(1, round(config.halve_every_kimg * 1000)))
        case "cosine":
            return config.lr * warmup * 0.5 * (1 + math.cos(math.pi * step / steps))
        case _:
            return config.lr * warmup
