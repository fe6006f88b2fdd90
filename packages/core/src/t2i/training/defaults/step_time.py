"""Measure how long a step of a run takes on this device, with made-up pictures, before the run begins."""

from __future__ import annotations

import time

import numpy as np
import torch
from accelerate import Accelerator

from t2i.data.pack.features import EncodedCaptions
from t2i.data.prepare import PreparedData
from t2i.training.config import TrainConfig
from t2i.training.objective import Objective
from t2i.training.processes import Processes
from t2i.training.steps import Steps
from t2i.training.validation import phase_ends

WHOLE = 100_000  # steps of the measured run: phases do not mix
TIMED = 4  # steps of each phase; a penalty at every fourth step is met once
ENOUGH_SECONDS = 3.0  # of one phase
BRIEF_SECONDS = 0.5  # of one phase, for an estimate that the number of steps does not depend on
OTHERS = 1.05  # samples, checkpoints, logging
PICTURES, WORDS = 8, 12


def measured_steps(objective: Objective) -> int:
    """The most steps that `seconds_a_step` takes."""
    return (1 + TIMED) * len(objective.phases)


def seconds_a_step(
    objective: Objective,
    config: TrainConfig,
    text_dim: int,
    accelerator: Accelerator,
    processes: Processes,
    enough: float = ENOUGH_SECONDS,
) -> float:
    """The mean time of a step over all phases, in seconds.

    Args:
        objective: it is trained for a few steps, so it must not be used afterwards.
        enough: no further step of a phase is timed after so many seconds.
    """
    config = config.model_copy(update={"steps": WHOLE})
    data = made_up(objective.generator.resolution + config.crop_margin, text_dim)
    steps = Steps(objective, data, config, accelerator, processes)
    total, begin = 0.0, 0
    for phase, end in zip(objective.phases, phase_ends(objective.phases, WHOLE), strict=True):
        steps.take(begin)  # warms up
        total += phase.share * _timed(steps, begin + 1, enough)
        begin = end
    mean = processes.sum_(torch.tensor(total, device=accelerator.device)) / processes.count
    return float(mean) * OTHERS


def _timed(steps: Steps, first: int, enough: float) -> float:
    _synchronize()
    start = time.perf_counter()
    for done in range(1, TIMED + 1):
        steps.take(first + done - 1)
        _synchronize()
        seconds = time.perf_counter() - start
        if seconds > enough:
            break
    return seconds / done


def _synchronize() -> None:
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()


def made_up(side: int, text_dim: int) -> PreparedData:
    """A few pictures and captions of noise, each its own group."""
    random = torch.Generator().manual_seed(0)
    words = torch.randn(PICTURES * WORDS, text_dim, generator=random).half()
    return PreparedData(
        name="made up",
        license="CC0-1.0",
        images=torch.randint(256, (PICTURES, 3, side, side), generator=random, dtype=torch.uint8),
        captions=EncodedCaptions(
            torch.randn(PICTURES, text_dim, generator=random).half(), words, torch.arange(PICTURES + 1) * WORDS
        ),
        caption_texts=[f"picture {number}" for number in range(PICTURES)],
        captions_of=[[number] for number in range(PICTURES)],
        groups=np.arange(PICTURES),
        problems=(),
    )
