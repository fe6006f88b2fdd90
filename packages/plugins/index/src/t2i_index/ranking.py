"""Merges ranked lists, and groups pictures that differ only by seed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from t2i_index.record import Record

RANK_CONSTANT = 60  # Cormack, Clarke & Buettcher, SIGIR 2009


def merged(lists: Sequence[Sequence[int]]) -> list[int]:
    """One list of the ids in several, by reciprocal rank: each list adds 1 / (60 + rank) to an id's score."""
    scores: defaultdict[int, float] = defaultdict(float)
    for ids in lists:
        for rank, id_ in enumerate(ids, start=1):
            scores[id_] += 1 / (RANK_CONSTANT + rank)
    return sorted(scores, key=lambda id_: -scores[id_])


def stack_of(record: Record) -> object:
    """A key that is equal for records that differ only by seed, time and file."""
    drawn = json.dumps([record.options, record.edited, record.frame], sort_keys=True)
    return record.kind, record.prompt, record.text, record.model, drawn
