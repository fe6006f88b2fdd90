"""The plan of an evaluation: its evaluators, captions, seeds and batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from t2i.arguments import check_whole_number
from t2i.data.dataset import Example
from t2i.drawing.artist import DEFAULT_BATCH_SIZE
from t2i.seeds import check_seed

DEFAULT_METRICS = ("kid", "r_precision")


@dataclass(frozen=True)
class Plan:
    """How to evaluate any model on any dataset; InvalidInputError if a number is outside its range.

    Attributes:
        metrics: names of evaluators.
        n: number of pictures drawn.
        seed: chooses the captions; picture i of the plan is drawn with seed + i.
        resolution: side in pixels at which all pictures are evaluated; None for the model's own.
        settings: each evaluator's settings by its name, such as {"fid": {"protocol": "clean"}}.
        batch_size: pictures drawn and evaluated at once; changes memory and speed, not the scores.
    """

    metrics: Sequence[str] = DEFAULT_METRICS
    n: int = 2000
    seed: int = 0
    resolution: int | None = None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    batch_size: int = DEFAULT_BATCH_SIZE

    def __post_init__(self) -> None:
        check_whole_number(self.n, "The number of pictures drawn", 1)
        check_seed(self.seed)
        check_seed(self.seed + self.n - 1)
        check_whole_number(self.batch_size, "The batch size", 1)
        if self.resolution is not None:
            check_whole_number(self.resolution, "The resolution", 1)


@dataclass(frozen=True)
class Planned:
    """One picture of a plan.

    Attributes:
        example: position of the example in the dataset.
        caption: one of its captions.
        group: its group.
        seed: seed of the drawn picture.
        real: whether it is the dataset's own picture, not a drawn one.
    """

    example: int
    caption: str
    group: str
    seed: int
    real: bool


def make_plan(examples: Sequence[Example], n: int, seed: int) -> list[Planned]:
    """Every example's own picture, then `n` pictures to draw; each round uses every example once before the next.

    The dataset's own pictures get the captions of the first round.
    """
    rounds = -(-n // len(examples))
    stream = np.random.Generator(np.random.Philox(key=seed))
    asked = []
    for _ in range(max(1, rounds)):
        for index in stream.permutation(len(examples)).tolist():
            example = examples[index]
            asked.append((index, example.captions[stream.integers(len(example.captions))], example.group))
    real = [Planned(*each, seed=0, real=True) for each in asked[: len(examples)]]
    return real + [Planned(*each, seed=seed + number, real=False) for number, each in enumerate(asked[:n])]


def share(plan: Sequence[Planned], batch_size: int, process: int, processes: int) -> list[Sequence[Planned]]:
    """The batches of one process: a contiguous part of the real ones, and a contiguous part of the drawn ones."""
    mine: list[Sequence[Planned]] = []
    for real in (True, False):
        requests = [request for request in plan if request.real == real]
        batches = [requests[start : start + batch_size] for start in range(0, len(requests), batch_size)]
        first, last = (len(batches) * each // processes for each in (process, process + 1))
        mine += batches[first:last]
    return mine
