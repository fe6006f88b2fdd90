"""Validation during a run: loss terms and evaluators on held-out pictures, and which step is the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from t2i.create import create_evaluator, held_out_settings, suited_settings
from t2i.data.prepare import PreparedData
from t2i.data.spread import spread
from t2i.errors import InvalidInputError, T2IError
from t2i.evaluator import Evaluator
from t2i.generator import Generator
from t2i.noise import Noise
from t2i.training.batches import BatchMaker
from t2i.training.config import TrainConfig
from t2i.training.objective import Batch, Objective
from t2i.training.report.bounds import SCORES, bounds
from t2i.training.report.curves import Row
from t2i.training.sampling import Sampler
from t2i.training.steps import Steps

MOST = 256  # held-out pictures that are compared
TERMS = "validation"
"""The player under which metrics.jsonl keeps loss terms of held-out pictures."""

BEST_BY = f"{SCORES}/kid"
"""The measure of the best step; without it, the sum of the last phase's terms. Lower is better for both."""


class Validator:
    """Validates on the same held-out pictures, captions and seeds at every call."""

    def __init__(
        self,
        objective: Objective,
        data: PreparedData,
        held_out: np.ndarray | None,
        config: TrainConfig,
        device: torch.device,
        warn: Callable[[str], None],
        options: Mapping[str, object],
    ) -> None:
        """
        Args:
            data: the data that holds the pictures.
            held_out: [n], which of them are held out; None for all. At most MOST, spread evenly, are used.
            options: the generator's.
        """
        self._config, self._device, self._warn, self._options = config, device, warn, options
        pictures = np.arange(len(data.images)) if held_out is None else np.flatnonzero(held_out)
        chosen = pictures[spread(len(pictures), MOST)]
        sampler = Sampler(data, config.batch_size, config.seed, mismatch=objective.needs_mismatched)
        resolution = objective.generator.resolution
        self._maker = BatchMaker(data, resolution, False, device)
        parts = range(0, len(chosen), config.batch_size)
        self._draws = [sampler.unchanged(chosen[start : start + config.batch_size]) for start in parts]
        self._evaluators: dict[str, tuple[Evaluator, Mapping[str, Tensor]]] = {}
        self._cautioned: set[str] = set()
        for name in config.validation_metrics:
            try:
                settings = held_out_settings(name) | suited_settings(name, data.name, data.location, warn)
                self._evaluators[name] = self._after_real(create_evaluator(name, **settings))
            except T2IError as error:
                self._leave_out(name, error)

    def __call__(self, steps: Steps, step: int, generator: Generator) -> dict[str, float]:
        """The terms of the phase of step `step`, and the scores of `generator`, which is the moving average.

        A score comes with its bounds, such as r_precision_ceiling; its first caution is a warning.
        """
        found = {f"{TERMS}/{name}": value for name, value in steps.held_out_terms(step, self._batches()).items()}
        for evaluator, real in self._evaluators.values():
            evaluator.reset()
            evaluator.merge(real)
        options = generator.options(**self._options)
        for number, batch in enumerate(self._batches()):
            with torch.inference_mode():
                seeds = range(number * self._config.batch_size, number * self._config.batch_size + len(batch.images))
                images = generator.generate(batch.text, Noise(seeds, self._device), options)
            for evaluator, _ in self._evaluators.values():
                evaluator.update(images, captions=batch.captions, groups=_names(batch))
        for name in list(self._evaluators):
            try:
                scores = self._evaluators[name][0].compute()
            except InvalidInputError as error:
                self._leave_out(name, error)
                continue
            bounded = {label: score for label in (name, *bounds(name)) if (score := scores.get(label))}
            found |= {f"{SCORES}/{label}": score.value for label, score in bounded.items()}
            if name in bounded and bounded[name].caution and name not in self._cautioned:
                self._cautioned.add(name)
                self._warn(f"step {step + 1}: held-out {name} is {bounded[name].value:.3g}. {bounded[name].caution}")
        return found

    def _after_real(self, evaluator: Evaluator) -> tuple[Evaluator, Mapping[str, Tensor]]:
        """The evaluator, with its state after seeing the held-out pictures."""
        for batch in self._batches():
            evaluator.update(batch.images, captions=batch.captions, groups=_names(batch), real=True)
        return evaluator, evaluator.state()

    def _batches(self) -> list[Batch]:
        """The held-out pictures, with noise at its start and nothing shared yet."""
        return [batch for draw in self._draws for batch in self._maker.make(draw, 1, 0.5)]

    def _leave_out(self, name: str, error: T2IError) -> None:
        self._evaluators.pop(name, None)
        self._warn(f"validation goes on without {name}: {error}")


def _names(batch: Batch) -> list[str]:
    return [str(group) for group in batch.groups.tolist()]


def measure(row: Row) -> float | None:
    """The measure of a row by which steps are compared; None if it has none."""
    terms = [value for name, value in row.items() if name.startswith(f"{TERMS}/")]
    return row.get(BEST_BY, sum(terms) if terms else None)


def best_step(rows: Sequence[Row], since: int) -> int | None:
    """The step of the best validation after step `since`, the start of the last phase; None if there is none."""
    measured = [
        (value, int(row["step"])) for row in rows if row["step"] > since and (value := measure(row)) is not None
    ]
    return min(measured)[1] if measured else None


def is_exhausted(rows: Sequence[Row], patience: int, since: int) -> bool:
    """Whether the last `patience` validations after step `since` were not better than the best one before them."""
    best = best_step(rows, since)
    later = [row for row in rows if best is not None and row["step"] > best and measure(row) is not None]
    return 0 < patience <= len(later)
