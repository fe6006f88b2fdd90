"""The data that an evaluator keeps about pictures, which can be added up over batches and processes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Shaped
from torch import Tensor


class Accumulator(ABC):
    """Data about all pictures seen; its state is a few tensors."""

    @abstractmethod
    def state(self, name: str) -> dict[str, Tensor]:
        """All data, as tensors whose names begin with `name`; later updates do not change them."""

    @abstractmethod
    def merge(self, name: str, state: Mapping[str, Tensor]) -> None:
        """Add another accumulator's `state(name)`."""

    @abstractmethod
    def clear(self) -> None:
        """Forget everything."""


@final
class Rows(Accumulator):
    """One row of numbers for each picture, in the order of the updates."""

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
