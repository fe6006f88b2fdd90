"""An evaluator without weights: the brightness of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

import torch
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i.evaluator import Evaluator, Score


@final
class Brightness(Evaluator):
    """The mean pixel of generated pictures, in [-1, 1], and of real ones as its ceiling.

    Args:
        fewest: the number of pictures that a score needs.
    """

    def __init__(self, fewest: int = 1) -> None:
        self._fewest = fewest
        self.reset()

    def update(
        self,
        images: Tensor,
        *,
        captions: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        real: bool = False,
    ) -> None:
        self._seen[real].append(images.double().mean((1, 2, 3)))
        self.batches.append((len(images), captions, groups, real))

    def compute(self) -> dict[str, Score]:
        fake, real = self._rows(False), self._rows(True)
        if len(fake) < self._fewest:
            raise InvalidInputError(f"bright needs at least {self._fewest} pictures, got {len(fake)}.")
        protocol = {"n_fake": str(len(fake))}
        error = float(fake.std() / len(fake) ** 0.5)
        return {
            "bright": Score(float(fake.mean()), protocol, standard_error=error),
            "bright_ceiling": Score(float(real.mean()), {"n_real": str(len(real))}),
        }

    def state(self) -> dict[str, Tensor]:
        return {"fake": self._rows(False), "real": self._rows(True)}

    def merge(self, state: Mapping[str, Tensor]) -> None:
        self._seen[False].append(state["fake"])
        self._seen[True].append(state["real"])

    def reset(self) -> None:
        self._seen: dict[bool, list[Tensor]] = {False: [], True: []}
        self.batches: list[tuple[int, Sequence[str] | None, Sequence[str] | None, bool]] = []

    def _rows(self, real: bool) -> Tensor:
        return torch.cat([torch.empty(0, dtype=torch.float64), *self._seen[real]])
