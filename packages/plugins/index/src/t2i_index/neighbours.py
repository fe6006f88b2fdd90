"""The nearest vectors of one space: candidates from the nearest-neighbour files, and all vectors in no file."""

from __future__ import annotations

import heapq
import logging
import threading
from itertools import chain
from typing import Any, final

import numpy as np

from t2i_index.connection import Database
from t2i_index.filters import Filters
from t2i_index.segments import Segments
from t2i_index.store import ANY, Space
from t2i_index.vectors import Matrix, VectorTable

log = logging.getLogger(__name__)
FEW = 20_000  # records that pass a filter, whose vectors are compared one by one
MANY = 100_000  # vectors that no file covers; more make a search slow, which is said
SPARE = 32  # candidates beyond twice those wanted: the files have vectors in 8 bits
ROUNDING = 0.03  # error of a cosine in the files, at most

Pairs = list[tuple[float, int]]
"""(cosine, hash of a text or thumbnail)"""


@final
class Neighbours:
    """The nearest neighbours of one space."""

    def __init__(self, database: Database, space: Space) -> None:
        self._table = VectorTable(database, space)
        self.segments = Segments(database, space, self._table)
        self._lock = threading.Lock()
        self._said = False

    def nearest(self, vector: Matrix, filters: Filters, limit: int, least: float = ANY) -> list[int]:
        """Ids of the `limit` records nearest to `vector` [d], the nearest first; `least` as in `Store.by_vector`."""
        with self._lock:  # usearch's graphs are searched by one thread
            return self._nearest(vector, filters, limit, least)

    def _nearest(self, vector: Matrix, filters: Filters, limit: int, least: float) -> list[int]:
        if filters and (few := self._table.passing(filters, FEW)) is not None:
            return self._records(few.nearest(vector, limit), filters, limit, least)
        graphs, gaps = self.segments.opened()
        newer = self._compared(gaps, vector, filters, limit)
        wanted = limit
        while True:
            asked = 2 * wanted + SPARE
            ids, worst = _candidates(graphs, vector, asked)
            found = [pair for rows in self._table.numbered(ids, filters) for pair in rows.nearest(vector, asked)]
            enough = sum(cosine >= least for cosine, _ in found) >= limit
            everything = all(len(graph) <= asked for graph in graphs)
            if enough or everything or worst < least - ROUNDING:
                return self._records([*found, *newer], filters, limit, least)
            wanted *= 4

    def _records(self, pairs: Pairs, filters: Filters, limit: int, least: float) -> list[int]:
        """The records of the best pairs; of those that share a vector, the newest first."""
        ids: list[int] = []
        for cosine, thing in heapq.nlargest(limit, pairs):
            if cosine < least or len(ids) >= limit:
                break
            ids += self._table.records(thing, filters, limit - len(ids))
        return ids

    def _compared(self, gaps: list[tuple[int, int]], vector: Matrix, filters: Filters, limit: int) -> Pairs:
        """The nearest of the vectors that no file covers."""
        best: Pairs = []
        compared = 0
        for first, last in gaps:
            for rows in self._table.between(first, last, filters):
                best = heapq.nlargest(limit, [*best, *rows.nearest(vector, limit)])
                compared += len(rows.ids)
        if compared > MANY and not self._said:
            self._said = True
            log.warning(
                f"{compared:,} vectors are in no nearest-neighbour file yet, so this search compares them one by one. "
                f"To make it fast: t2i index rebuild"
            )
        return best


def _candidates(graphs: list[Any], vector: Matrix, wanted: int) -> tuple[list[int], float]:
    """The numbers of about the `wanted` nearest vectors in the files, and the lowest of their approximate cosines."""
    share = min(wanted, 2 * wanted // max(1, len(graphs)) + SPARE)
    lists = [_searched(graph, vector, share) for graph in graphs]
    nearest = heapq.nlargest(wanted, chain(*lists))
    for number, graph in enumerate(graphs):
        if len(lists[number]) == share < wanted and lists[number][-1] >= nearest[-1]:  # it may have more of them
            lists[number] = _searched(graph, vector, wanted)
    nearest = heapq.nlargest(wanted, chain(*lists))
    return [id_ for _, id_ in nearest], nearest[-1][0] if nearest else ANY


def _searched(graph: Any, vector: Matrix, wanted: int) -> Pairs:
    """(approximate cosine, number of the vector) of about the `wanted` nearest in one file, the nearest first."""
    matches = graph.search(vector, min(wanted, len(graph)))
    return list(zip((1 - np.asarray(matches.distances)).tolist(), np.asarray(matches.keys).tolist(), strict=True))
