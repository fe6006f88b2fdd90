"""Mean and covariance of features, from sums over batches and processes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from t2i_metrics.accumulators import Accumulator


@final
class Moments(Accumulator):
    """Σ 1, Σ x and Σ x xᵀ in float64; memory does not grow with the number of pictures."""

    def __init__(self, dim: int) -> None:
        self.count = 0
        self._sum = torch.zeros(dim, dtype=torch.float64)
        self._products = torch.zeros(dim, dim, dtype=torch.float64)

    def add(self, features: Float[Tensor, "b d"]) -> None:
        """Add b rows."""
        x = features.double()
        self.count += len(x)
        self._sum += x.sum(dim=0)
        self._products.addmm_(x.T, x)

    @property
    def mean(self) -> Float64[Tensor, d]:
        """[d]; needs at least one row."""
        return self._sum / self.count

    @property
    def covariance(self) -> Float64[Tensor, "d d"]:
        """[d, d], unbiased; needs at least two rows."""
        return (self._products - torch.outer(self._sum, self._sum / self.count)) / (self.count - 1)

    def state(self, name: str) -> dict[str, Tensor]:
        return {
            f"{name}.count": torch.tensor(self.count),
            f"{name}.sum": self._sum.clone(),
            f"{name}.products": self._products.clone(),
        }

    def merge(self, name: str, state: Mapping[str, Tensor]) -> None:
        self.count += int(state[f"{name}.count"])
        self._sum = self._sum + state[f"{name}.sum"]
        self._products = self._products + state[f"{name}.products"]

    def clear(self) -> None:
        self.count = 0
        self._sum = torch.zeros_like(self._sum)
        self._products = torch.zeros_like(self._products)
