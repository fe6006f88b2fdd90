"""The index in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, final

import numpy as np

from t2i_index.connection import WAIT_SECONDS, connect, sentences
from t2i_index.filters import Filters
from t2i_index.neighbours import Neighbours
from t2i_index.query import parse_query, spaced
from t2i_index.record import Entry, Record
from t2i_index.schema import VERSION
from t2i_index.store import ANY, Space, Store, Vectors

COLUMNS = "kind, prompt, text, model, seed, options, artist, widened, score, path, sha256, time, run, source"
READ = (
    f"SELECT record.id, {COLUMNS.replace('artist', 'artist.facts')} "
    "FROM record LEFT JOIN artist ON artist.id = record.artist"
)
AT_ONCE = 500  # ids in one statement, and records in one batch
RANKED = 2_000  # matches that are ranked by how well they fit; if there are more, the newest


@final
class SQLiteStore(Store):
    """The index in one SQLite file, which any number of processes may use at the same time."""

    def __init__(self, path: Path, *, wait_seconds: float = WAIT_SECONDS) -> None:
        """Open the file at `path`, which is created if it does not exist.

        Args:
            wait_seconds: how long to wait for another process that is writing.

        Raises:
            DataError: it is damaged, not an index, or made by a newer version.
            OutputError: it does not exist and cannot be created.
        """
        self.path = path
        self._lock = threading.RLock()  # threads share one connection
        self._connection = connect(path, wait_seconds)
        self._neighbours: dict[Space, Neighbours] = {
            space: Neighbours(self._connection, path, space) for space in ("meaning", "look")
        }

    @property
    def where(self) -> str:
        return str(self.path)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def add(self, entries: Sequence[Entry]) -> int:
        with self._writing() as connection:
            return sum(self._add(connection, entry) for entry in entries)

    def records(self, ids: Sequence[int]) -> list[Record]:
        found: dict[int, Record] = {}
        for part in _parts(ids):
            for row in self._read(f"{READ} WHERE record.id IN ({_marks(part)})", part):
                found[row[0]] = _record(row)
        return [found[id_] for id_ in ids if id_ in found]

    def thumbnails(self, ids: Sequence[int]) -> Mapping[int, bytes]:
        found: dict[int, bytes] = {}
        for part in _parts(ids):
            found |= dict(self._read(f"SELECT record, picture FROM thumbnail WHERE record IN ({_marks(part)})", part))
        return found

    def newest(self, filters: Filters, limit: int) -> list[int]:
        where, values = filters.sql()
        sql = f"SELECT id FROM record WHERE {where} ORDER BY time DESC, id DESC LIMIT ?"
        return [id_ for (id_,) in self._read(sql, [*values, limit])]

    def by_words(self, query: str, filters: Filters, limit: int) -> list[int]:
        parsed, (where, values) = parse_query(query), filters.sql()
        newest = (
            "SELECT record.id, record.prompt, record.text FROM words JOIN record ON record.id = words.rowid "
            f"WHERE words MATCH ? AND {where} ORDER BY words.rowid DESC LIMIT {RANKED}"
        )
        rows = self._read(newest, [parsed.expression, *values])
        rows.sort(key=lambda row: parsed.fit(row[2] or row[1]))
        return [row[0] for row in rows[:limit]]

    def by_vector(
        self, space: Space, vector: Vectors, filters: Filters, limit: int, *, least: float = ANY
    ) -> list[int]:
        with self._lock, sentences(self.path):
            return self._neighbours[space].nearest(vector.astype(np.float32), filters, limit, least)

    def without_vector(self, space: Space) -> Iterator[list[Record]]:
        needs = {"meaning": "1", "look": "record.id IN (SELECT record FROM thumbnail)"}[space]
        last = 0
        while True:
            sql = (
                f"{READ} WHERE record.id > ? AND {needs} AND record.id NOT IN (SELECT record FROM {space}) "
                f"ORDER BY record.id LIMIT {AT_ONCE}"
            )
            rows = self._read(sql, [last])
            if not rows:
                return
            yield [_record(row) for row in rows]
            last = rows[-1][0]

    def set_vectors(self, space: Space, ids: Sequence[int], vectors: Vectors) -> None:
        with self._writing() as connection:
            connection.executemany(
                f"INSERT OR REPLACE INTO {space} (record, vector) VALUES (?, ?)",
                zip(ids, map(_blob, vectors), strict=True),
            )

    def use_encoder(self, space: Space, name: str) -> None:
        if self._read("SELECT 1 FROM encoder WHERE space = ? AND name = ?", [space, name]):
            return
        with self._writing() as connection:
            connection.execute(f"DELETE FROM {space}")
            connection.execute("DELETE FROM neighbours WHERE space = ?", [space])
            connection.execute("INSERT OR REPLACE INTO encoder VALUES (?, ?)", [space, name])

    def set_path(self, record: int, path: str) -> None:
        (found,) = self.records([record])
        key = replace(found, path=path).key
        with self._writing() as connection:
            connection.execute("UPDATE OR IGNORE record SET path = ?, key = ? WHERE id = ?", [path, key, record])

    def set_score(self, record: int, score: float | None) -> None:
        with self._writing() as connection:
            connection.execute("UPDATE record SET score = ? WHERE id = ?", [score, record])

    def remove(self, ids: Sequence[int]) -> None:
        for part in _parts(ids):
            gone = self.records(part)
            with self._writing() as connection:
                for record in gone:
                    forget = "INSERT INTO words (words, rowid, body) VALUES ('delete', ?, ?)"
                    connection.execute(forget, [record.id, spaced(record.words)])
                for table, column in (
                    ("record", "id"),
                    ("thumbnail", "record"),
                    ("meaning", "record"),
                    ("look", "record"),
                ):
                    connection.execute(f"DELETE FROM {table} WHERE {column} IN ({_marks(part)})", part)

    def all(self) -> Iterator[Record]:
        last = 0
        while rows := self._read(f"{READ} WHERE record.id > ? ORDER BY record.id LIMIT {AT_ONCE}", [last]):
            yield from map(_record, rows)
            last = rows[-1][0]

    def facts(self) -> dict[str, object]:
        kinds = dict(self._read("SELECT kind, count(*) FROM record GROUP BY kind"))
        sources = dict(self._read("SELECT source, count(*) FROM record GROUP BY source"))
        files = [
            self.path,
            *self.path.parent.glob(f"{self.path.name}-wal"),
            *self.path.parent.glob(f"{self.path.name}.*"),
        ]
        return {
            "where": self.where,
            "pictures": kinds.get("picture", 0),
            "texts": kinds.get("text", 0),
            "made by": sources,
            "vectors of texts": self._read("SELECT count(*) FROM meaning")[0][0],
            "vectors of pictures": self._read("SELECT count(*) FROM look")[0][0],
            "bytes": sum(file.stat().st_size for file in files),
            "version": VERSION,
        }

    def check(self) -> list[str]:
        flaws = [text for (text,) in self._read("PRAGMA integrity_check(20)") if text != "ok"]
        if not flaws:
            (records,), (known,) = (
                self._read(f"SELECT count(*) FROM {table}")[0] for table in ("record", "words_docsize")
            )
            if records != known:
                flaws.append(f"{records} records, but {known} of them can be found by words")
        with self._lock, sentences(self.path):
            return [*flaws, *(flaw for each in self._neighbours.values() for flaw in each.check())]

    def rebuild(self) -> None:
        with self._writing() as connection:
            connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
            last = 0
            while rows := connection.execute(
                f"{READ} WHERE record.id > ? ORDER BY record.id LIMIT {AT_ONCE}", [last]
            ).fetchall():
                for record in map(_record, rows):
                    _index_words(connection, record.id, record)
                last = rows[-1][0]
        with self._lock, sentences(self.path):
            for neighbours in self._neighbours.values():
                neighbours.rebuild()

    def _add(self, connection: sqlite3.Connection, entry: Entry) -> bool:
        record = entry.record
        artist = None
        if record.artist:
            facts = _json(record.artist)
            connection.execute("INSERT OR IGNORE INTO artist (facts) VALUES (?)", [facts])
            ((artist,),) = connection.execute("SELECT id FROM artist WHERE facts = ?", [facts])
        values: list[object] = [record.key, record.kind, record.prompt, record.text, record.model, record.seed]
        values += [_json(record.options), artist, _json(record.widened), record.score, record.path, record.sha256]
        values += [record.time, record.run, record.source]
        added = connection.execute(
            f"INSERT OR IGNORE INTO record (key, {COLUMNS}) VALUES ({_marks(values)})",
            [_text(value) if isinstance(value, str) else value for value in values],
        )
        if added.rowcount != 1:
            return False
        id_ = added.lastrowid
        assert id_ is not None
        _index_words(connection, id_, record)
        if entry.thumbnail:
            connection.execute("INSERT INTO thumbnail VALUES (?, ?)", [id_, entry.thumbnail])
        if entry.meaning is not None:
            connection.execute("INSERT INTO meaning (record, vector) VALUES (?, ?)", [id_, _blob(entry.meaning)])
        return True

    def _read(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        with self._lock, sentences(self.path):
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: everything in the block is written, or nothing."""
        with self._lock, sentences(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise


def _index_words(connection: sqlite3.Connection, id_: int, record: Record) -> None:
    connection.execute("INSERT INTO words (rowid, body) VALUES (?, ?)", [id_, spaced(record.words)])


def _record(row: Sequence[Any]) -> Record:
    id_, kind, prompt, text, model, seed, options, artist, widened, score, path, sha256, time, run, source = row
    facts = json.loads(artist) if artist else {}
    made = (kind, prompt, text, model, seed, json.loads(options), facts, json.loads(widened))
    return Record(*made, score, path, sha256, time, run, source, id_)


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True)


def _text(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode()  # unpaired surrogates, as in some file names


def _blob(vector: Vectors) -> bytes:
    return vector.astype("<f2").tobytes()
