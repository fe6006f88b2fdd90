"""The vectors of one space in SQLite, from which every nearest-neighbour file is computed.

Equal texts (or thumbnails) share one vector, because a graph of neighbours fails if many of its vectors are equal: a
hash of the text is in the column `meaning` of every record, and in the column `thing` of the table `meaning`; likewise
for `look`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from t2i_index.connection import Database, marks, parts
from t2i_index.filters import Filters
from t2i_index.store import Space

END = 2**63 - 1  # no vector has this number
AT_ONCE = 4_096  # vectors read at once

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Rows:
    """n vectors.

    Attributes:
        ids: [n], their numbers, which increase with time and are never reused.
        things: [n], hashes of what they are vectors of.
        vectors: [n, d], of length 1.
    """

    ids: NDArray[np.int64]
    things: NDArray[np.int64]
    vectors: Matrix

    def nearest(self, vector: Matrix, limit: int) -> list[tuple[float, int]]:
        """(cosine with `vector` [d], thing) of the `limit` nearest, the nearest first."""
        if not len(self.ids):
            return []
        cosines = self.vectors @ vector
        best = np.argsort(-cosines, kind="stable")[:limit]
        return list(zip(cosines[best].tolist(), self.things[best].tolist(), strict=True))


@final
class VectorTable:
    """The vectors of a space."""

    def __init__(self, database: Database, space: Space) -> None:
        self._database, self._space = database, space

    def between(self, first: int, last: int, filters: Filters) -> Iterator[Rows]:
        """Those with first < id <= last, of records that pass the filters, AT_ONCE at a time."""
        condition = f"v.id > ? AND v.id <= ? AND {{}} ORDER BY v.id LIMIT {AT_ONCE}"
        while rows := self._read(condition, [first, last], filters):
            yield _rows(rows)
            first = rows[-1][0]

    def numbered(self, ids: list[int], filters: Filters) -> Iterator[Rows]:
        """Those with these numbers that still exist, of records that pass the filters."""
        for part in parts(ids):
            yield _rows(self._read(f"v.id IN ({marks(len(part))}) AND {{}}", part, filters))

    def passing(self, filters: Filters, most: int) -> Rows | None:
        """All of records that pass the filters; None if more than `most` records do."""
        where, values = filters.sql()
        things = f"SELECT record.{self._space} FROM record WHERE {where} LIMIT {most + 1}"
        ((records,),) = self._database.read(f"SELECT count(*) FROM ({things})", values)
        return _rows(self._read(f"v.thing IN ({things})", values)) if records <= most else None

    def records(self, thing: int, filters: Filters, limit: int) -> list[int]:
        """The newest records of this thing that pass the filters."""
        where, values = filters.sql()
        sql = f"SELECT id FROM record WHERE {self._space} = ? AND {where} ORDER BY id DESC LIMIT ?"
        return [id_ for (id_,) in self._database.read(sql, [thing, *values, limit])]

    def count(self, first: int = 0, last: int = END) -> int:
        """How many have first < id <= last."""
        sql = f"SELECT count(*) FROM {self._space} WHERE id > ? AND id <= ?"
        return int(self._database.read(sql, [first, last])[0][0])

    def _read(self, condition: str, values: Sequence[Any], filters: Filters | None = None) -> list[Any]:
        """Rows that meet the condition, in which {} stands for the filters."""
        where, passing = (filters or Filters()).sql()
        if filters:
            where = f"EXISTS (SELECT 1 FROM record WHERE record.{self._space} = v.thing AND {where})"
        sql = f"SELECT v.id, v.thing, v.vector FROM {self._space} v WHERE {condition.format(where)}"
        return self._database.read(sql, [*values, *passing])


def _rows(rows: list[tuple[int, int, bytes]]) -> Rows:
    ids, things = (np.array([row[column] for row in rows], np.int64) for column in (0, 1))
    flat = np.frombuffer(b"".join(row[2] for row in rows), "<f2").astype(np.float32)
    return Rows(ids, things, flat.reshape(len(rows), len(flat) // max(1, len(rows))))
