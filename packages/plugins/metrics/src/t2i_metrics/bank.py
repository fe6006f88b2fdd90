"""Vectors kept in the order they came."""

from __future__ import annotations

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
