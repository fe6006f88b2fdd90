"""The generator's exponential moving average, with a half-life in pictures."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from t2i.generator import Generator


class EMA:
    """Averages parameters; copies buffers. With a half-life of 0 the average is the generator itself."""

    def __init__(self, generator: Generator, half_life_kimg: float, ramp: float) -> None:
        """
        Args:
            half_life_kimg: half-life of the average, in thousand pictures.
            ramp: the half-life is at most this share of the pictures seen (StyleGAN2-ADA); 0 leaves it constant.
        """
        self._source = generator
        self._half_life, self._ramp = half_life_kimg * 1000, ramp
        self.generator = copy.deepcopy(generator).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, images_seen: int, batch_size: int) -> None:
        """Move towards the generator by one step of `batch_size` pictures."""
        half_life = min(self._half_life, images_seen * self._ramp) if self._ramp else self._half_life
        weight = 1 - 0.5 ** (batch_size / half_life) if half_life > 0 else 1.0
        averaged: list[Tensor] = list(self.generator.parameters())
        current: list[Tensor] = list(self._source.parameters())
        torch._foreach_lerp_(averaged, current, weight)
        for kept, buffer in zip(self.generator.buffers(), self._source.buffers(), strict=True):
            kept.copy_(buffer)

    @torch.no_grad()
    def settle(self, moving: Iterable[nn.Parameter]) -> None:
        """Copy the average into all generator parameters except the `moving` ones, so that later phases build on the
        weights that will be used for drawing."""
        free = set(moving)
        for kept, current in zip(self.generator.parameters(), self._source.parameters(), strict=True):
            if current not in free:
                current.copy_(kept)
