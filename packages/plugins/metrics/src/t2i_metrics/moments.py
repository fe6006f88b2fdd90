"""Mean and covariance of features, from sums that add up over batches and processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Float, Float64
from torch import Tensor


@final
class Moments:
    """Σ 1, Σ x and Σ x xᵀ in float64: memory does not grow with the pictures seen."""

    def __init__(self, dim: int) -> None:
        self.count = 0
        self._sum = torch.zeros(dim, dtype=torch.float64)
        self._products = torch.zeros(dim, dim, dtype=torch.float64)

    def add(self, features: Float[Tensor, "b d"]) -> None:
        """Take in b rows."""
        x = features.double()
        self.count += len(x)
        self._sum += x.sum(dim=0)
        self._products.addmm_(x.T, x)

    @property
    def mean(self) -> Float64[Tensor, d]:
        """[d]; of at least one row."""
        return self._sum / self.count

    @property
    def covariance(self) -> Float64[Tensor, "d d"]:
        """[d, d], unbiased; of at least two rows."""
        return (self._products - torch.outer(self._sum, self._sum / self.count)) / (self.count - 1)

    def state(self, prefix: str) -> dict[str, Tensor]:
        """The sums so far, as tensors under `prefix`."""
        return {
            f"{prefix}.count": torch.tensor(self.count),
            f"{prefix}.sum": self._sum.clone(),
            f"{prefix}.products": self._products.clone(),
        }

    def merge(self, prefix: str, state: Mapping[str, Tensor]) -> None:
        """Add the sums that `state` gave."""
        self.count += int(state[f"{prefix}.count"])
        self._sum = self._sum + state[f"{prefix}.sum"]
        self._products = self._products + state[f"{prefix}.products"]
