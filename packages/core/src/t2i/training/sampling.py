"""Chooses the pictures, captions, mismatches and seeds of a step by (seed, step) alone, so resuming is exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from t2i.data.pack.store import Ragged, starts_of
from t2i.data.prepare import PreparedData
from t2i.data.spread import spread
from t2i.errors import DataError
from t2i.seeds import MAX_SEED
from t2i.training.likeness import Likeness

ROUNDS = 20  # random tries for a mismatch before all pictures are searched


@dataclass(frozen=True)
class Draw:
    """Positions for one step of b pictures.

    Attributes:
        pictures, captions: [b], a picture and one of its captions.
        mismatched: [b], a caption of another group, of a picture that is not alike; None if it is not needed.
        seeds: [b], one noise seed per picture.
        places: [b, 3] in [0, 1): where to cut (y, x) and whether to flip.
    """

    pictures: np.ndarray
    captions: np.ndarray
    mismatched: np.ndarray | None
    seeds: np.ndarray
    places: np.ndarray

    def share(self, index: int, count: int) -> Draw:
        """The part of process `index` of `count`; the parts of all processes in order are the whole draw."""
        own = np.array_split(np.arange(len(self.pictures)), count)[index]
        mismatched = None if self.mismatched is None else self.mismatched[own]
        return Draw(self.pictures[own], self.captions[own], mismatched, self.seeds[own], self.places[own])


class Sampler:
    """Shuffles without replacement, epoch after epoch, and keeps no state to save.

    With balance="group" an epoch visits every group once, by one of its pictures; with "image", every picture as often
    as its repeats say.
    """

    def __init__(
        self,
        data: PreparedData,
        batch_size: int,
        seed: int,
        balance: Literal["image", "group"] = "image",
        *,
        mismatch: bool = True,
        mix: float = 0.0,
    ) -> None:
        """
        Args:
            mismatch: also draw mismatched captions.
            mix: share of each batch that is drawn from the data's mixed-in pictures.

        Raises:
            DataError: `mismatch` is set, but all pictures are of one group.
        """
        self._own = data.trained
        groups = data.groups[self._own]
        if mismatch and len(np.unique(groups)) < 2:
            raise DataError(
                f"The technique learns from mismatched captions, which come from another group, but {data.name} holds "
                f"only one group ({len(self._own)} usable pictures). Add pictures of something else."
            )
        self._batch_size, self._seed = batch_size, seed
        self._mixed_in, self._first_mixed = data.mixed_in, len(data.images) - data.mixed_in
        self._mixed = round(mix * batch_size) if data.mixed_in else 0
        self._groups = data.groups
        self._captions = Ragged.of(data.captions_of)
        self._likeness = Likeness(self._captions, data.looks) if mismatch else None
        if balance == "group":
            _, sizes = np.unique(groups, return_counts=True)
            self._members = Ragged(self._own[np.argsort(groups, kind="stable")], starts_of(sizes))
        else:
            order = np.repeat(self._own, 1 if data.repeats is None else data.repeats[self._own])
            self._members = Ragged(order, np.arange(len(order) + 1))
        self._epoch: tuple[int, np.ndarray] = (-1, np.empty(0))

    def draw(self, step: int) -> Draw:
        """The draw of step `step` (from 0)."""
        rng = self._rng(step)
        size = self._batch_size
        epochs, places = np.divmod(np.arange(step * size, (step + 1) * size), len(self._members))
        units = np.concatenate([self._shuffled(int(epoch))[places[epochs == epoch]] for epoch in np.unique(epochs)])
        pictures = self._members.pick(units, rng.random(size))
        if self._mixed:
            pictures[size - self._mixed :] = self._first_mixed + rng.integers(self._mixed_in, size=self._mixed)
        captions = self._captions.pick(pictures, rng.random(size))
        return Draw(
            pictures=pictures,
            captions=captions,
            mismatched=self._mismatched(pictures, self._likeness, rng) if self._likeness else None,
            seeds=rng.integers(MAX_SEED, size=size),
            places=rng.random((size, 3)),
        )

    def still(self, count: int) -> Draw:
        """The same pictures at every call, to be watched: up to `count`, spread over the data; see `unchanged`."""
        return self.unchanged(self._own[spread(len(self._own), count)])

    def unchanged(self, pictures: np.ndarray) -> Draw:
        """These pictures, each with its first caption, its place as seed, and the middle crop, not flipped."""
        return Draw(
            pictures=pictures,
            captions=self._captions.pick(pictures, np.zeros(len(pictures))),
            mismatched=self._mismatched(pictures, self._likeness, self._rng(0, 2)) if self._likeness else None,
            seeds=np.arange(len(pictures)),
            places=np.full((len(pictures), 3), 0.5),
        )

    def _mismatched(self, pictures: np.ndarray, likeness: Likeness, rng: np.random.Generator) -> np.ndarray:
        """[b], for each picture a caption that is wrong for it: tried at random, or searched for if that fails."""

        def match(others: np.ndarray) -> np.ndarray:
            return (self._groups[others] == self._groups[pictures]) | likeness(pictures, others)

        others = self._own[rng.integers(len(self._own), size=len(pictures))]
        for _ in range(ROUNDS):
            if not (bad := match(others)).any():
                break
            others[bad] = self._own[rng.integers(len(self._own), size=int(bad.sum()))]
        for place in np.flatnonzero(match(others)):
            fit = self._fit(int(pictures[place]), likeness)
            others[place] = fit[rng.integers(len(fit))]
        return self._captions.pick(others, rng.random(len(pictures)))

    def _fit(self, picture: int, likeness: Likeness) -> np.ndarray:
        """All pictures of other groups that are not like `picture`; if there are none, all pictures of other groups."""
        foreign = self._groups[self._own] != self._groups[picture]
        unlike = foreign & likeness.unlike(picture)[self._own]
        return self._own[unlike if unlike.any() else foreign]

    def _shuffled(self, epoch: int) -> np.ndarray:
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._rng(epoch, stream=1).permutation(len(self._members)))
        return self._epoch[1]

    def _rng(self, counter: int, stream: int = 0) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=self._seed, counter=[0, 0, counter, stream]))
