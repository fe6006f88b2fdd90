"""Which pictures are held out for validation or testing: a fixed part that never splits groups or equal pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from t2i.errors import DataError

REMEDY = "Train without train.validation, or give a folder for it: train.validation=path/to/folder"


def held_out(
    ids: Sequence[str],
    groups: Sequence[int] | np.ndarray,
    looks: Sequence[int] | np.ndarray | None,
    share: float,
    remedy: str = REMEDY,
) -> np.ndarray:
    """[n], whether each picture is held out; about `share` of them are.

    Pictures of one group, or with equal pixels, stay together. Each such set is chosen by a hash of its first id, so
    the choice stays the same when pictures are added, and on every machine.

    Args:
        ids, groups: of n pictures; groups as numbers.
        looks: equal numbers for pictures with equal pixels; None if that is unknown.
        remedy: what to do if all pictures belong together, for the error.

    Raises:
        DataError: all pictures belong together, so none can be held out.
    """
    sets = _together(np.asarray(groups), None if looks is None else np.asarray(looks))
    first: dict[int, str] = {}
    for number, name in zip(sets.tolist(), ids, strict=True):
        first[number] = min(first.get(number, name), name)
    if len(first) < 2:
        raise DataError(
            f"Pictures of one group, and equal pictures, are held out together, but all {len(ids):,} belong together. "
            f"{remedy}"
        )
    places = {number: _place(name) for number, name in first.items()}
    chosen = {number for number, place in places.items() if place < share} or {min(places, key=places.__getitem__)}
    if len(chosen) == len(first):
        chosen.remove(max(chosen, key=places.__getitem__))
    return np.isin(sets, list(chosen))


def _place(name: str) -> float:
    """A number in [0, 1) that only depends on the name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) / 2**64


def _together(groups: np.ndarray, looks: np.ndarray | None) -> np.ndarray:
    """[n], equal numbers for pictures that belong together: the connected parts of the graph of groups and looks."""
    _, groups = np.unique(groups, return_inverse=True)
    root = list(range(int(groups.max()) + 1))

    def find(group: int) -> int:
        while root[group] != group:
            root[group] = root[root[group]]
            group = root[group]
        return group

    if looks is not None:
        _, first, numbers = np.unique(looks, return_index=True, return_inverse=True)
        for mine, theirs in np.unique(np.stack([groups, groups[first[numbers]]]), axis=1).T.tolist():
            root[find(mine)] = find(theirs)
    return np.array([find(group) for group in groups.tolist()])
