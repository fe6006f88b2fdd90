"""The questions of R-precision: which captions a picture is compared with, and whether its own ranks first."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from t2i.errors import InvalidInputError

AT_ONCE = 256  # pictures ranked together


def count_others(pairs: Collection[tuple[str, str]]) -> int:
    """For each distinct (caption, group) pair, count those that differ from it in both; the least count."""
    captions, groups = (Counter(pair[which] for pair in pairs) for which in (0, 1))
    return len(pairs) + 1 - max((captions[caption] + groups[group] for caption, group in pairs), default=1)


def draw_candidates(
    captions: Sequence[str], groups: Sequence[str], distractors: int, seed: int
) -> Int[np.ndarray, "c k"]:
    """For each caption its own position, followed by the positions of `distractors` different captions of other groups.

    Raises:
        InvalidInputError: there are not that many.
    """
    text, group = (np.unique(names, return_inverse=True)[1] for names in (captions, groups))
    rows = []
    for own, caption in enumerate(captions):
        others = np.flatnonzero((group != group[own]) & (text != text[own]))
        if len(others) < distractors:
            raise InvalidInputError(
                f"r_precision needs {distractors} captions of other groups for each picture, but {caption!r} has only "
                f"{len(others)} ({len(set(groups))} groups in all). Evaluate more pictures or more kinds of pictures, "
                f"or set fewer distractors."
            )
        stream = np.random.default_rng(int.from_bytes(digest(seed, caption)[:8]))
        rows.append([own, *stream.choice(others, distractors, replace=False)])
    return np.array(rows)


def first_ranked(
    images: Float[Tensor, "n d"], text: Float[Tensor, "c d"], candidates: Int[Tensor, "n k"]
) -> Bool[Tensor, " n"]:
    """Whether each picture is closer, by cosine, to its first candidate than to every other; a tie is a miss."""
    found = []
    for rows, wanted in zip(torch.split(images, AT_ONCE), torch.split(candidates, AT_ONCE), strict=True):
        cosine = torch.einsum("bd,bkd->bk", rows, text[wanted])
        found.append((cosine[:, :1] > cosine[:, 1:]).all(1))
    return torch.cat(found)


def digest(seed: int, caption: str) -> bytes:
    """A hash that puts captions in an order that depends on the seed only."""
    return hashlib.sha256(f"{seed}\0{caption}".encode()).digest()
