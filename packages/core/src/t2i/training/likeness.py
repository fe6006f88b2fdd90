"""Finds pictures that share a caption or are equal, whose captions must not serve as mismatches of each other."""

from __future__ import annotations

import numpy as np

from t2i.data.pack.store import Ragged, starts_of


class Likeness:
    """Two pictures are alike if they share a caption or are equal pixel by pixel."""

    def __init__(self, captions: Ragged, looks: np.ndarray | None) -> None:
        """
        Args:
            captions: the caption numbers of each of n pictures.
            looks: [n], equal numbers for equal pictures; None if that is unknown.
        """
        count = len(captions)
        pictures = np.repeat(np.arange(count), np.diff(captions.starts))
        kinds, marks = np.unique(captions.values, return_inverse=True)
        if looks is not None:
            _, shown = np.unique(looks, return_inverse=True)
            pictures, marks = np.append(pictures, np.arange(count)), np.append(marks, shown + len(kinds))
        if len(marks):
            pictures, marks = np.unique(np.stack([pictures, marks]), axis=1)  # sorted by picture, without duplicates
        shared = np.bincount(marks)[marks] > 1
        pictures, marks = pictures[shared], marks[shared]
        kinds, marks = np.unique(marks, return_inverse=True)
        self._marks = Ragged(marks, starts_of(np.bincount(pictures, minlength=count)))
        order = np.argsort(marks, kind="stable")
        self._holders = Ragged(pictures[order], starts_of(np.bincount(marks, minlength=len(kinds))))

    def __call__(self, pictures: np.ndarray, others: np.ndarray) -> np.ndarray:
        """[b], whether each picture and its other are alike."""
        mine, theirs = self._padded(pictures, -1), self._padded(others, -2)
        return (mine[:, :, None] == theirs[:, None, :]).any(axis=(1, 2))

    def unlike(self, picture: int) -> np.ndarray:
        """[n], which pictures are not like `picture`."""
        mask = np.ones(len(self._marks), bool)
        for mark in self._marks[picture]:
            mask[self._holders[mark]] = False
        return mask

    def _padded(self, pictures: np.ndarray, filler: int) -> np.ndarray:
        """[b, k], the numbers of each picture's captions and look, padded with `filler`."""
        first, count = self._marks.starts[pictures], np.diff(self._marks.starts)[pictures]
        slots = np.arange(count.max(initial=0))
        padded = np.full((len(pictures), len(slots)), filler)
        there = slots < count[:, None]
        padded[there] = self._marks.values[(first[:, None] + slots)[there]]
        return padded
