"""Vectors kept in the order they came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor


@final
class Bank:
    """n rows of d numbers, added batch by batch; float32."""

    def __init__(self) -> None:
        self._parts: list[Tensor] = []

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def add(self, rows: Float[Tensor, "b d"]) -> None:
        """Append b rows."""
        if len(rows):
            self._parts.append(rows)

    def rows(self) -> Float[Tensor, "n d"]:
        """All of them; [0, 0] of none."""
        self._parts = [torch.cat(self._parts)] if self._parts else []
        return self._parts[0] if self._parts else torch.empty(0, 0)


class RealAndFake:
    """Features of the two kinds of pictures that a judge compares."""

    def __init__(self) -> None:
        self.real, self.fake = Bank(), Bank()

    def add(self, features: Float[Tensor, "b d"], real: bool) -> None:
        """Append b rows to one of the two."""
        (self.real if real else self.fake).add(features)

    @property
    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        return {"real": len(self.real), "generated": len(self.fake)}

    def state(self) -> dict[str, Tensor]:
        """Both, as tensors."""
        return {"real": self.real.rows(), "fake": self.fake.rows()}

    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Append what `state` gave."""
        self.real.add(state["real"])
        self.fake.add(state["fake"])
