"""Which pictures, captions, mismatches and seeds a step sees: a pure function of (seed, step), so resuming is exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from t2i.data.prepared import PreparedData
from t2i.errors import DataError
from t2i.seeds import MAX_SEED


@dataclass(frozen=True)
class Draw:
    """Positions for one step of b pictures.

    Attributes:
        pictures, captions: [b], a picture and one of its captions.
        mismatched: [b], a caption of another group.
        seeds: [b], one noise seed per picture.
        places: [b, 3] in [0, 1): where to cut (y, x) and whether to flip.
    """

    pictures: np.ndarray
    captions: np.ndarray
    mismatched: np.ndarray
    seeds: np.ndarray
    places: np.ndarray

    def share(self, index: int, count: int) -> Draw:
        """The part of process `index` of `count`: disjoint from the others', and with them, in order, the whole."""
        own = np.array_split(np.arange(len(self.pictures)), count)[index]
        return Draw(**{each.name: getattr(self, each.name)[own] for each in fields(self)})


class Sampler:
    """Shuffles without replacement, epoch after epoch, and keeps no state to save.

    With balance="group" an epoch visits every group once, by one of its pictures; with "image", every picture.
    """

    def __init__(
        self, data: PreparedData, batch_size: int, seed: int, balance: Literal["image", "group"] = "image"
    ) -> None:
        """
        Raises:
            DataError: all pictures are of one group, so that nothing can be mismatched.
        """
        if len(np.unique(data.groups)) < 2:
            raise DataError(
                f"Training draws mismatched captions from another group, but {data.name} holds only one "
                f"({len(data.images)} usable pictures). Add pictures of something else."
            )
        self._data, self._batch_size, self._seed = data, batch_size, seed
        members = [[index] for index in range(len(data.images))]
        if balance == "group":
            members = [np.flatnonzero(data.groups == group).tolist() for group in np.unique(data.groups)]
        self._members = members
        self._epoch: tuple[int, np.ndarray] = (-1, np.empty(0))

    def draw(self, step: int) -> Draw:
        """What step `step` (from 0) sees."""
        rng = self._rng(step)
        size = self._batch_size
        positions = np.arange(step * size, (step + 1) * size)
        units = [
            self._shuffled(epoch)[place] for epoch, place in (divmod(int(p), len(self._members)) for p in positions)
        ]
        pictures = np.array([_pick(self._members[unit], u) for unit, u in zip(units, rng.random(size), strict=True)])
        captions = self._caption(pictures, rng)
        others = rng.integers(len(self._data.images), size=size)
        while (same := self._data.groups[others] == self._data.groups[pictures]).any():
            others[same] = rng.integers(len(self._data.images), size=int(same.sum()))
        return Draw(
            pictures=pictures,
            captions=captions,
            mismatched=self._caption(others, rng),
            seeds=rng.integers(MAX_SEED, size=size),
            places=rng.random((size, 3)),
        )

    def _caption(self, pictures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        chances = rng.random(len(pictures))
        return np.array([_pick(self._data.captions_of[index], u) for index, u in zip(pictures, chances, strict=True)])

    def _shuffled(self, epoch: int) -> np.ndarray:
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._rng(epoch, stream=1).permutation(len(self._members)))
        return self._epoch[1]

    def _rng(self, counter: int, stream: int = 0) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=self._seed, counter=[0, 0, counter, stream]))


def _pick(choices: Sequence[int], u: float) -> int:
    return int(choices[int(u * len(choices))])
