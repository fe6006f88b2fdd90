"""The generated pictures nearest to training pictures, as an accumulator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from t2i_metrics.accumulators import Accumulator


@final
class NearestPairs(Accumulator):
    """The generated pictures nearest to a training picture, nearest first."""

    def __init__(self, count: int) -> None:
        """
        Args:
            count: how many are kept.
        """
        self._count = count
        self._kept = _nothing()

    def add(self, distances: Float[Tensor, b], positions: Int[Tensor, b], pixels: UInt8[Tensor, "b 3 h w"]) -> None:
        """Add b pictures: the distance to the nearest training picture, its position in the dataset, and the pixels."""
        if len(self._kept[0]):  # an empty tensor has no picture size, so others cannot be appended to it
            both = zip(self._kept, (distances, positions, pixels), strict=True)
            distances, positions, pixels = (torch.cat(pair) for pair in both)
        order = distances.argsort(stable=True)[: self._count]
        self._kept = distances[order], positions[order], pixels[order]

    def all(self) -> tuple[Float[Tensor, n], Int[Tensor, n], UInt8[Tensor, "n 3 h w"]]:
        """Distances, positions and pixels."""
        return self._kept

    def state(self, name: str) -> dict[str, Tensor]:
        return dict(zip(_names(name), self.all(), strict=True))

    def merge(self, name: str, state: Mapping[str, Tensor]) -> None:
        distances, positions, pixels = (state[key] for key in _names(name))
        if len(distances):
            self.add(distances, positions, pixels)

    def clear(self) -> None:
        self._kept = _nothing()


def _names(name: str) -> tuple[str, str, str]:
    return f"{name}_distances", f"{name}_positions", f"{name}_pixels"


def _nothing() -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty(0), torch.empty(0, dtype=torch.int64), torch.empty(0, 3, 0, 0, dtype=torch.uint8)
