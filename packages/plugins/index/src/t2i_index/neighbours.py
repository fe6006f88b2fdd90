"""The nearest vectors: exact while there are few, approximate from a usearch file once there are many.

The file is computed from the vectors in SQLite. It has those with numbers up to `last`; newer ones are compared one
by one until there are enough of them to extend the file. A missing or damaged file is rebuilt.
"""

from __future__ import annotations

import sqlite3
import uuid
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from t2i.files import sha256_of, unwritable
from t2i_index.filters import Filters
from t2i_index.store import ANY, Space

FEW = 20_000  # vectors that are compared one by one
GROWTH = 0.05  # the file is extended when more than this share of the vectors is new
CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH = 16, 128, 128  # of the graph; recall is in docs/finding_again.md
AT_ONCE = 10_000  # vectors read or added at once

Matrix = NDArray[np.float32]


@final
class Neighbours:
    """The nearest neighbours of one space."""

    def __init__(self, connection: sqlite3.Connection, database: Path, space: Space) -> None:
        self._connection, self._database, self._space = connection, database, space
        self._graph: tuple[str, Any] | None = None  # the file that is open, and usearch's index
        self._start = 0  # vectors up to this number are in the file; those after it are held in memory
        self._read_to = 0
        self._records: NDArray[np.int64] = np.empty(0, np.int64)
        self._vectors: Matrix = np.empty((0, 0), np.float32)

    def nearest(self, vector: Matrix, filters: Filters, limit: int, least: float = ANY) -> list[int]:
        """Ids of the `limit` records nearest to `vector` [d], the nearest first; `least` as in `Store.by_vector`."""
        if filters:
            chosen = self._chosen(filters)
            if chosen is not None:
                return _best(*chosen, vector, limit, least)
        graph = self._opened()
        self._read_new()
        wanted = limit
        while True:
            found = [pair for pair in self._candidates(graph, vector, wanted) if pair[1] >= least]
            kept = self._passing([record for record, _ in found], filters)
            ids = [record for record, _ in found if record in kept]
            if len(ids) >= limit or len(found) < wanted:
                return ids[:limit]
            wanted *= 4

    def rebuild(self) -> None:
        """Write a new file if there are many vectors; otherwise remove it."""
        with_file = self._count() > FEW
        self._forget_file()
        if with_file:
            self._extend(None, 0)

    def check(self) -> list[str]:
        """A sentence if the file is missing or was changed."""
        row = self._row()
        if row is None:
            return []
        path = self._database.with_name(row[0])
        if not path.is_file():
            return [f"{path} is missing; it will be rebuilt"]
        return [] if sha256_of(path) == row[2] else [f"{path} is damaged; `t2i index rebuild` rebuilds it"]

    def _chosen(self, filters: Filters) -> tuple[NDArray[np.int64], Matrix] | None:
        """The vectors that pass the filters, if they are few."""
        where, values = filters.sql()
        rows = self._connection.execute(
            f"SELECT v.record, v.vector FROM record JOIN {self._space} v ON v.record = record.id "
            f"WHERE {where} LIMIT {FEW + 1}",
            values,
        ).fetchall()
        return _stacked(rows) if len(rows) <= FEW else None

    def _candidates(self, graph: Any, vector: Matrix, wanted: int) -> list[tuple[int, float]]:
        """The nearest of the file and of the newer vectors, with their cosines."""
        found: dict[int, float] = {}
        if graph is not None:
            matches = graph.search(vector, min(wanted, len(graph)))
            found = {
                int(key): 1 - float(distance) for key, distance in zip(matches.keys, matches.distances, strict=True)
            }
        if len(self._records):
            cosines = self._vectors @ vector
            for index in _largest(cosines, wanted):
                found[int(self._records[index])] = float(cosines[index])
        return sorted(found.items(), key=lambda pair: -pair[1])[:wanted]

    def _passing(self, ids: list[int], filters: Filters) -> set[int]:
        """Those records that still exist and pass the filters."""
        where, values = filters.sql()
        kept: set[int] = set()
        for start in range(0, len(ids), 500):
            part = ids[start : start + 500]
            marks = ", ".join("?" * len(part))
            sql = f"SELECT id FROM record WHERE id IN ({marks}) AND {where}"
            kept |= {id_ for (id_,) in self._connection.execute(sql, [*part, *values])}
        return kept

    def _opened(self) -> Any:
        """usearch's index, mapped into memory; None if there are few vectors."""
        row = self._row()
        graph = None
        if row is not None:
            file, size, _, last, count = row
            graph = self._map(file, size, count)
            if graph is None:
                self._forget_file()
                row = None
        last, count = (row[3], row[4]) if row is not None else (0, 0)
        (newer,) = self._connection.execute(f"SELECT count(*) FROM {self._space} WHERE id > ?", [last]).fetchone()
        if newer > max(FEW, GROWTH * count) and self._extend(row[0] if row else None, last):
            return self._opened()
        if last != self._start:
            self._start = self._read_to = last
            self._records, self._vectors = np.empty(0, np.int64), np.empty((0, 0), np.float32)
        return graph

    def _map(self, file: str, size: int, count: int) -> Any:
        """The open file; None if it is missing or was changed."""
        if self._graph is not None and self._graph[0] == file:
            return self._graph[1]
        path = self._database.with_name(file)
        try:
            if path.stat().st_size != size:
                return None
            graph = _new_graph(self._dim())
            graph.view(str(path))
        except (OSError, RuntimeError, ValueError):
            return None
        if len(graph) != count:
            return None
        self._graph = (file, graph)
        return graph

    def _extend(self, file: str | None, last: int) -> bool:
        """Write a new file that also holds the newer vectors; False if the index can only be read."""
        graph = _new_graph(self._dim())
        if file is not None:
            graph.load(str(self._database.with_name(file)))
        while rows := self._connection.execute(
            f"SELECT id, record, vector FROM {self._space} WHERE id > ? ORDER BY id LIMIT {AT_ONCE}",
            [last],
        ).fetchall():
            records, vectors = _stacked([row[1:] for row in rows])
            graph.add(records, vectors)
            last = rows[-1][0]
        path = self._database.with_name(f"{self._database.name}.{self._space}.{uuid.uuid4().hex[:8]}.usearch")
        try:
            graph.save(str(path))
            size, sha256 = path.stat().st_size, sha256_of(path)
            self._connection.execute(
                "INSERT OR REPLACE INTO neighbours VALUES (?, ?, ?, ?, ?, ?)",
                [self._space, path.name, size, sha256, last, len(graph)],
            )
        except sqlite3.OperationalError as error:
            path.unlink(missing_ok=True)
            if "readonly" in str(error):
                return False
            raise
        except (OSError, RuntimeError) as error:
            path.unlink(missing_ok=True)
            raise unwritable(path, error) from None
        self._remove_all_but(path.name)
        return True

    def _forget_file(self) -> None:
        self._graph, self._start, self._read_to = None, -1, 0
        try:
            self._connection.execute("DELETE FROM neighbours WHERE space = ?", [self._space])
            self._remove_all_but("")
        except sqlite3.OperationalError as error:
            if "readonly" not in str(error):
                raise

    def _remove_all_but(self, name: str) -> None:
        """Remove older files of this space; processes that have them open keep them until they close them."""
        for path in self._database.parent.glob(f"{self._database.name}.{self._space}.*.usearch"):
            if path.name != name:
                path.unlink(missing_ok=True)

    def _read_new(self) -> None:
        """Read vectors that were added since the last time."""
        sql = f"SELECT id, record, vector FROM {self._space} WHERE id > ? ORDER BY id"
        rows = self._connection.execute(sql, [self._read_to]).fetchall()
        if rows:
            records, vectors = _stacked([row[1:] for row in rows])
            self._records = np.concatenate([self._records, records])
            self._vectors = np.concatenate([self._vectors, vectors]) if len(self._vectors) else vectors
            self._read_to = rows[-1][0]

    def _row(self) -> Any:
        sql = "SELECT file, bytes, sha256, last, count FROM neighbours WHERE space = ?"
        return self._connection.execute(sql, [self._space]).fetchone()

    def _count(self) -> int:
        return int(self._connection.execute(f"SELECT count(*) FROM {self._space}").fetchone()[0])

    def _dim(self) -> int:
        (bytes_,) = self._connection.execute(f"SELECT length(vector) FROM {self._space} LIMIT 1").fetchone()
        return int(bytes_) // 2


def _new_graph(dim: int) -> Any:
    from usearch.index import Index

    return Index(
        ndim=dim,
        metric="cos",
        dtype="f16",
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
    )


def _stacked(rows: list[tuple[int, bytes]]) -> tuple[NDArray[np.int64], Matrix]:
    records = np.array([record for record, _ in rows], np.int64)
    vectors = np.frombuffer(b"".join(blob for _, blob in rows), "<f2").astype(np.float32)
    return records, vectors.reshape(len(rows), len(vectors) // max(1, len(rows)))


def _best(records: NDArray[np.int64], vectors: Matrix, vector: Matrix, limit: int, least: float) -> list[int]:
    if not len(records):
        return []
    cosines = vectors @ vector
    return [int(records[index]) for index in _largest(cosines, limit) if cosines[index] >= least]


def _largest(values: Matrix, limit: int) -> NDArray[np.int64]:
    """The positions of the largest values, the largest first."""
    if limit < len(values):
        chosen = np.argpartition(-values, limit)[:limit]
        return chosen[np.argsort(-values[chosen], kind="stable")]
    return np.argsort(-values, kind="stable")
