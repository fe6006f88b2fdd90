"""From noise to a picture in a few steps.

A noisy picture is z = (1 - t) x + t e, a mixture of a picture x and noise e; t is the share of noise. A network
predicts x from z and t. The velocity (z - prediction) / t is how fast z changes with t on the straight line between
them. Drawing starts from noise alone, t = 1, and follows the velocity to t = 0 (Lipman et al. 2023; Liu et al. 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "b c h w"]  # or latents
Predict = Callable[[Images, float], Images]  # (z, t) -> a prediction of x


def times(steps: int, shift: float = 1.0) -> list[float]:
    """The ends of the steps, as shares of noise from 1 to 0; a `shift` above 1 puts more of them near 1."""
    even = [1 - step / steps for step in range(steps + 1)]
    return [shift * t / (1 + (shift - 1) * t) for t in even]  # Esser et al. 2024, eq. 23


def euler(predict: Predict, noise: Images, times: Sequence[float]) -> Iterator[Images]:
    """The prediction of every step, as soon as it is made; the last one is the picture."""
    z = noise
    for t, next_t in pairwise(times):
        prediction = predict(z, t)
        yield prediction
        velocity = (z - prediction) / t
        z = z + (next_t - t) * velocity


def heun(predict: Predict, noise: Images, times: Sequence[float]) -> Iterator[Images]:
    """As `euler`, but each step follows the mean of the velocities at its two ends."""
    z = noise
    for t, next_t in pairwise(times):
        prediction = predict(z, t)
        yield prediction
        velocity = (z - prediction) / t
        if next_t > 0:  # at 0 the velocity is not defined
            end = z + (next_t - t) * velocity
            velocity = (velocity + (end - predict(end, next_t)) / next_t) / 2
        z = z + (next_t - t) * velocity


def guided(conditional: Images, unconditional: Images, weight: float) -> Images:
    """Extrapolate from the prediction without text to the one with it (Ho and Salimans 2022, eq. 6)."""
    return torch.lerp(unconditional, conditional, weight)
