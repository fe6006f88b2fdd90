"""From noise to a picture in a few steps.

A noisy picture is z = (1 - t) x + t e: the share t of noise e, the rest of a picture x. A network that sees z and t
guesses x. The straight line from the guess through z says how z changes with t: by (z - guess) / t, its velocity.
Drawing starts from noise alone, t = 1, and follows the velocity down to t = 0 (Lipman et al. 2023; Liu et al. 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

Images = Float[Tensor, "b 3 h w"]
Guess = Callable[[Images, float], Images]  # (z, t) -> the pictures in z


def times(steps: int, shift: float = 1.0) -> list[float]:
    """The shares of noise from 1 to 0 between which the steps lead; above 1, `shift` crowds them near 1."""
    even = [1 - step / steps for step in range(steps + 1)]
    return [shift * t / (1 + (shift - 1) * t) for t in even]  # Esser et al. 2024, eq. 23


def euler(guess: Guess, noise: Images, times: Sequence[float]) -> list[Images]:
    """The guess of every step; the last step leads to its own guess, which is the picture."""
    z, guesses = noise, []
    for t, next_t in pairwise(times):
        guesses.append(guess(z, t))
        velocity = (z - guesses[-1]) / t
        z = z + (next_t - t) * velocity
    return guesses


def heun(guess: Guess, noise: Images, times: Sequence[float]) -> list[Images]:
    """As `euler`, but each step looks ahead and follows the mean of the velocities at its two ends."""
    z, guesses = noise, []
    for t, next_t in pairwise(times):
        guesses.append(guess(z, t))
        velocity = (z - guesses[-1]) / t
        if next_t > 0:  # at 0 there is no noise to look through
            ahead = z + (next_t - t) * velocity
            velocity = (velocity + (ahead - guess(ahead, next_t)) / next_t) / 2
        z = z + (next_t - t) * velocity
    return guesses


def guided(told: Images, free: Images, weight: float) -> Images:
    """Away from the guess without text, towards the one with it, and beyond (Ho and Salimans 2022, eq. 6)."""
    return torch.lerp(free, told, weight)
