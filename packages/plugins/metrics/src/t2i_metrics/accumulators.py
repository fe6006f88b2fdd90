"""What an evaluator keeps of the pictures it has seen, so that batches and processes add up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Shaped
from torch import Tensor


class Accumulator(ABC):
    """Something kept of all pictures seen, whose state is a few tensors."""

    @abstractmethod
    def state(self, name: str) -> dict[str, Tensor]:
        """Everything kept, as tensors whose names begin with `name`; later pictures do not change them."""

    @abstractmethod
    def merge(self, name: str, state: Mapping[str, Tensor]) -> None:
        """Add what another accumulator's `state(name)` holds."""

    @abstractmethod
    def clear(self) -> None:
        """Forget everything."""


@final
class Rows(Accumulator):
    """One row of numbers for each picture, in the order they came."""

    def __init__(self, empty: Shaped[Tensor, "0 ..."] | None = None) -> None:
        """
        Args:
            empty: what `all` returns as long as there is no row; float32 [0, 0] by default.
        """
        self._empty = torch.empty(0, 0) if empty is None else empty
        self._parts: list[Tensor] = []

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def add(self, rows: Shaped[Tensor, "b ..."]) -> None:
        """Append the rows of b pictures."""
        if len(rows):
            self._parts.append(rows)

    def all(self) -> Shaped[Tensor, "n ..."]:
        """The rows of all n pictures."""
        self._parts = [torch.cat(self._parts)] if self._parts else []
        return self._parts[0] if self._parts else self._empty

    def state(self, name: str) -> dict[str, Tensor]:
        return {name: self.all()}

    def merge(self, name: str, state: Mapping[str, Tensor]) -> None:
        self.add(state[name])

    def clear(self) -> None:
        self._parts = []
