"""Random numbers for pictures, with one seed per picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.seeds import check_seeds


class Noise:
    """Random numbers with one seed per image.

    Each image has its own random stream on the CPU, so picture #3 gets the same numbers alone, in a batch of 64,
    or on another device. Successive draws continue each stream.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        """Start one stream per seed.

        Args:
            seeds: one per image, each in [0, 2**63).
            device: the device of the returned tensors.

        Raises:
            InvalidInputError: a seed is not a whole number in [0, 2**63).
        """
        self.seeds = check_seeds(seeds)
        self.device = torch.device(device)
        self._streams = [torch.Generator().manual_seed(seed) for seed in self.seeds]

    def __len__(self) -> int:
        return len(self.seeds)

    def normal(self, *shape: int) -> Float[Tensor, "b ..."]:
        """Standard normal numbers, `[b, *shape]`."""
        return self._draw(torch.randn, shape)

    def uniform(self, *shape: int) -> Float[Tensor, "b ..."]:
        """Numbers in [0, 1), `[b, *shape]`."""
        return self._draw(torch.rand, shape)

    def _draw(self, sampler: Any, shape: tuple[int, ...]) -> Tensor:
        return torch.stack([sampler(shape, generator=stream) for stream in self._streams]).to(self.device)
