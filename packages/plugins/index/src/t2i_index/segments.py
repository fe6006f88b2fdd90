"""The nearest-neighbour files, by usearch: each is a graph of a range of vectors (HNSW, Malkov & Yashunin 2018).

They are computed from the vectors in SQLite, which names each file with its range and its hash. A full file never
changes; the last one is replaced by a longer one. A file that is missing or was changed is not used: its range counts
as not covered until `grow` or `rebuild` writes it again. Searches write no files.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from t2i.errors import OutputError, T2IError
from t2i.files import sha256_of, unwritable
from t2i.progress import Progress, silent
from t2i_index.connection import Database
from t2i_index.filters import Filters
from t2i_index.store import Space
from t2i_index.vectors import END, VectorTable

log = logging.getLogger(__name__)
FULL = 65_536  # vectors in a full file
STEP = 4_096  # vectors; fewer are in no file
BEGUN_ALONE = 1_024  # vectors; threads that begin a graph together may leave parts of it hardly connected
CONNECTIVITY, EXPANSION_ADD, EXPANSION_SEARCH = 16, 64, 64  # of the graph; docs/finding_again.md has its recall
ABANDONED_SECONDS = 3_600.0  # a file of no range that is older was left by a process that was killed


@dataclass(frozen=True)
class Segment:
    """A file and its range.

    Attributes:
        file: its name, next to the index.
        first, last: the numbers of its vectors are in (first, last].
        count: vectors in the file, some of which may since have been removed.
        bytes, sha256: of the file.
    """

    file: str
    first: int
    last: int
    count: int
    bytes: int
    sha256: str


@final
class Segments:
    """The files of one space."""

    def __init__(self, database: Database, space: Space, table: VectorTable) -> None:
        self._database, self._space, self._table = database, space, table
        self._graphs: dict[str, Any] = {}  # of the files that are open

    def opened(self) -> tuple[list[Any], list[tuple[int, int]]]:
        """The graphs, mapped into memory, whose keys are numbers of vectors; and the ranges that they do not cover."""
        segments, graphs = self._open()
        if len(graphs) < len(segments):  # another process may just have replaced the last one
            segments, graphs = self._open()
        return [*graphs.values()], _gaps([each for each in segments if each.file in graphs])

    def added(self, before: int, after: int) -> None:
        """Call it after vectors were added: once for every STEP of them, it moves them into files.

        Args:
            before, after: the highest number of a vector before and after.
        """
        if before // STEP == after // STEP:
            return
        try:
            self.grow(max(2 * STEP, after - before))
        except OutputError as error:  # the vectors are stored
            log.warning(f"{error} Until then, searches compare more vectors one by one.")

    def grow(self, most: int) -> None:
        """Move up to `most` vectors that no file covers into files.

        Raises:
            OutputError: a file cannot be written; searches stay correct, but compare more vectors one by one.
        """
        self._drop_unusable()
        while most > 0 and (added := self._write_next(most, lambda count: None)):
            most -= added

    def rebuild(self, progress: Progress = silent) -> None:
        """Cover all vectors; correct files are kept, so that the next call continues an interrupted one.

        Raises:
            OutputError: a file cannot be written.
        """
        listed = self._listed()
        few = self._table.count() < STEP
        self._drop([each for each in listed if few or not self._is_right(each)])
        if few:
            return
        with progress("Building the nearest-neighbour files", self.uncovered()) as advance:
            while (added := self._write_next(FULL, advance)) is not None:
                if not added:  # another process writes files, too
                    self._drop_unusable()

    def uncovered(self) -> int:
        """How many vectors are in no file."""
        return sum(self._table.count(*gap) for gap in self.opened()[1])

    def check(self) -> list[str]:
        """A sentence for each file that is missing or was changed."""
        flaws = []
        for each in self._listed():
            path = self._path(each)
            if not path.is_file():
                flaws.append(f"{path} is missing; `t2i index rebuild` writes it again")
            elif sha256_of(path) != each.sha256:
                flaws.append(f"{path} is damaged; `t2i index rebuild` writes it again")
        return flaws

    def _write_next(self, most: int, advance: Callable[[int], None]) -> int | None:
        """Add up to `most` vectors of the first gap to the file before it, or to a new one.

        Returns how many were added; 0 if another process was faster; None if there is no gap.
        """
        listed = self._listed()
        gap = next((gap for gap in _gaps(listed) if self._table.count(*gap)), None)
        if gap is None:
            return None
        first, last = gap
        previous = next((each for each in listed if each.last == first and each.count < FULL), None)
        graph, room, added = None, most, 0
        for rows in self._table.between(first, last, Filters()):
            if graph is None:
                graph = _new_graph(rows.vectors.shape[1])
                try:
                    if previous is not None:
                        graph.load(str(self._path(previous)))
                except (OSError, RuntimeError, ValueError):
                    return 0  # it was replaced just now
                room = min(most, FULL - len(graph))
            ids, vectors = rows.ids[: room - added], rows.vectors[: room - added]
            _add(graph, ids, vectors)
            added, last = added + len(ids), int(ids[-1])
            advance(len(ids))
            if added == room:
                break
        if graph is None:
            return 0  # its vectors were removed just now
        segment = self._saved(graph, previous.first if previous else first, last)
        return added if self._replaced(previous, segment) else 0

    def _saved(self, graph: Any, first: int, last: int) -> Segment:
        path = self._database.path.with_name(f"{self._prefix}{uuid.uuid4().hex[:8]}.usearch")
        try:
            graph.save(str(path))
            return Segment(path.name, first, last, len(graph), path.stat().st_size, sha256_of(path))
        except (OSError, RuntimeError) as error:
            path.unlink(missing_ok=True)
            raise unwritable(path, error) from None

    def _replaced(self, previous: Segment | None, segment: Segment) -> bool:
        """Use a new file in place of a shorter one; False if another process was faster, and its file is used."""
        replaced = previous.file if previous else ""
        overlap = "SELECT 1 FROM segment WHERE space = ? AND first < ? AND last > ? AND file != ?"
        try:
            with self._database.writing() as connection:
                if connection.execute(overlap, [self._space, segment.last, segment.first, replaced]).fetchone():
                    self._path(segment).unlink(missing_ok=True)
                    return False
                connection.execute("DELETE FROM segment WHERE file = ?", [replaced])
                row = (segment.file, self._space, *astuple(segment)[1:])
                connection.execute("INSERT INTO segment VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        except T2IError:
            self._path(segment).unlink(missing_ok=True)
            raise
        self._remove_unlisted({replaced})
        return True

    def _drop(self, segments: list[Segment]) -> None:
        """Forget files, and remove them."""
        if segments:
            with self._database.writing() as connection:
                connection.executemany("DELETE FROM segment WHERE file = ?", [(each.file,) for each in segments])
        self._remove_unlisted({each.file for each in segments})

    def _drop_unusable(self) -> None:
        segments, graphs = self._open()
        self._drop([each for each in segments if each.file not in graphs])

    def _remove_unlisted(self, gone: set[str]) -> None:
        """Remove those files, and older ones that nothing names; processes that have them open keep them."""
        listed = {each.file for each in self._listed()}
        for path in self._database.path.parent.glob(f"{self._prefix}*.usearch"):
            try:
                is_old = time.time() - path.stat().st_mtime > ABANDONED_SECONDS
                if path.name in gone or (is_old and path.name not in listed):
                    path.unlink(missing_ok=True)
            except OSError:
                pass  # it is gone, or stays

    def _listed(self) -> list[Segment]:
        sql = "SELECT file, first, last, count, bytes, sha256 FROM segment WHERE space = ? ORDER BY first"
        return [Segment(*row) for row in self._database.read(sql, [self._space])]

    def _is_right(self, segment: Segment) -> bool:
        """Its file has its hash, and no vector of it was removed."""
        whole = segment.count == self._table.count(segment.first, segment.last)
        return whole and self._mapped(segment) is not None and sha256_of(self._path(segment)) == segment.sha256

    def _open(self) -> tuple[list[Segment], dict[str, Any]]:
        """All segments, and the graphs of those whose files are as they were written, which stay open."""
        segments = self._listed()
        tried = {each.file: self._graphs.get(each.file) or self._mapped(each) for each in segments}
        self._graphs = graphs = {file: graph for file, graph in tried.items() if graph is not None}
        return segments, graphs

    def _mapped(self, segment: Segment) -> Any:
        """The graph in the file, mapped into memory; None if the file is missing or was changed."""
        path = self._path(segment)
        graph = _new_graph(0)
        try:
            if path.stat().st_size != segment.bytes:
                return None
            graph.view(str(path))
        except (OSError, RuntimeError, ValueError):
            return None
        return graph if len(graph) == segment.count else None

    def _path(self, segment: Segment) -> Path:
        return self._database.path.parent / Path(segment.file).name

    @property
    def _prefix(self) -> str:
        return f"{self._database.path.name}.{self._space}."


def _gaps(segments: list[Segment]) -> list[tuple[int, int]]:
    """The ranges of numbers that the segments, in order, leave out."""
    starts, ends = [0, *(each.last for each in segments)], [*(each.first for each in segments), END]
    return [(start, end) for start, end in zip(starts, ends, strict=True) if start < end]


def _add(graph: Any, ids: np.ndarray, vectors: np.ndarray) -> None:
    """Add the first vectors of the graph by one thread, and all others by all threads."""
    alone = max(0, BEGUN_ALONE - len(graph))
    graph.add(ids[:alone], vectors[:alone], threads=1)
    graph.add(ids[alone:], vectors[alone:])


def _new_graph(dim: int) -> Any:
    from usearch.index import Index

    return Index(
        ndim=dim,
        metric="cos",
        dtype="i8",  # finds candidates, whose cosines are then computed from the vectors in SQLite
        connectivity=CONNECTIVITY,
        expansion_add=EXPANSION_ADD,
        expansion_search=EXPANSION_SEARCH,
        enable_key_lookups=False,  # opening a file would read every key
    )
