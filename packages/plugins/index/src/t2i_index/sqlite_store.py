"""The index in one SQLite file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import final

import numpy as np

from t2i.progress import Progress, silent
from t2i_index.connection import WAIT_SECONDS, Database, marks, parts
from t2i_index.filters import Filters
from t2i_index.neighbours import Neighbours
from t2i_index.query import parse_query, spaced
from t2i_index.record import Entry, Record
from t2i_index.rows import READ, Artists, blob, index_words, insert, last_vector, read_record
from t2i_index.schema import VERSION
from t2i_index.store import ANY, Space, Store, Vectors

SPACES: tuple[Space, ...] = ("meaning", "look")
AT_ONCE = 500  # records in one batch
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
        self._database = Database(path, wait_seconds)
        self._neighbours: dict[Space, Neighbours] = {space: Neighbours(self._database, space) for space in SPACES}

    @property
    def where(self) -> str:
        return str(self.path)

    def close(self) -> None:
        self._database.close()

    def add(self, entries: Sequence[Entry]) -> int:
        with self._database.writing() as connection:
            before, artists = last_vector(connection, "meaning"), Artists(connection)
            added = sum(insert(connection, artists, entry) for entry in entries)
            after = last_vector(connection, "meaning")
        self._neighbours["meaning"].segments.added(before, after)
        return added

    def records(self, ids: Sequence[int]) -> list[Record]:
        found: dict[int, Record] = {}
        for part in parts(ids):
            for row in self._database.read(f"{READ} WHERE record.id IN ({marks(len(part))})", part):
                found[row[0]] = read_record(row)
        return [found[id_] for id_ in ids if id_ in found]

    def thumbnails(self, ids: Sequence[int]) -> Mapping[int, bytes]:
        found: dict[int, bytes] = {}
        for part in parts(ids):
            found |= dict(
                self._database.read(f"SELECT record, picture FROM thumbnail WHERE record IN ({marks(len(part))})", part)
            )
        return found

    def newest(self, filters: Filters, limit: int) -> list[int]:
        where, values = filters.sql()
        sql = f"SELECT id FROM record WHERE {where} ORDER BY time DESC, id DESC LIMIT ?"
        return [id_ for (id_,) in self._database.read(sql, [*values, limit])]

    def by_words(self, query: str, filters: Filters, limit: int) -> list[int]:
        parsed, (where, values) = parse_query(query), filters.sql()
        newest = (
            "SELECT record.id, record.prompt, record.text FROM words JOIN record ON record.id = words.rowid "
            f"WHERE words MATCH ? AND {where} ORDER BY words.rowid DESC LIMIT {RANKED}"
        )
        rows = self._database.read(newest, [parsed.expression, *values])
        rows.sort(key=lambda row: parsed.fit(row[2] or row[1]))
        return [row[0] for row in rows[:limit]]

    def by_vector(
        self, space: Space, vector: Vectors, filters: Filters, limit: int, *, least: float = ANY
    ) -> list[int]:
        return self._neighbours[space].nearest(vector.astype(np.float32), filters, limit, least)

    def without_vector(self, space: Space) -> Iterator[list[Record]]:
        one_each = f"SELECT min(id) FROM record WHERE record.{space} = unencoded.thing"
        after = -(2**63)
        while things := self._database.read(
            f"SELECT thing, ({one_each}) FROM unencoded WHERE space = ? AND thing > ? ORDER BY thing LIMIT {AT_ONCE}",
            [space, after],
        ):
            yield self.records([id_ for _, id_ in things])
            after = things[-1][0]

    def set_vectors(self, space: Space, ids: Sequence[int], vectors: Vectors) -> None:
        with self._database.writing() as connection:
            before = last_vector(connection, space)
            for id_, vector in zip(ids, vectors, strict=True):
                of_record = f"SELECT {space} FROM record WHERE id = ?"
                connection.execute(
                    f"INSERT OR REPLACE INTO {space} (thing, vector) SELECT {space}, ? FROM record WHERE id = ?",
                    [blob(vector), id_],
                )
                connection.execute(f"DELETE FROM unencoded WHERE space = ? AND thing = ({of_record})", [space, id_])
            after = last_vector(connection, space)
        self._neighbours[space].segments.added(before, after)

    def use_encoder(self, space: Space, name: str) -> None:
        known = self._database.read("SELECT name FROM encoder WHERE space = ?", [space])
        if known == [(name,)]:
            return
        with self._database.writing() as connection:
            if known:  # without a name, the vectors came with their records: see `Entry.meaning`
                for table in (space, f"segment WHERE space = '{space}'", f"unencoded WHERE space = '{space}'"):
                    connection.execute(f"DELETE FROM {table}")
                things = f"SELECT DISTINCT '{space}', {space} FROM record WHERE {space} IS NOT NULL"
                connection.execute(f"INSERT INTO unencoded {things}")
            connection.execute("INSERT OR REPLACE INTO encoder VALUES (?, ?)", [space, name])

    def set_path(self, record: int, path: str) -> None:
        (found,) = self.records([record])
        key = replace(found, path=path).key
        with self._database.writing() as connection:
            connection.execute("UPDATE OR IGNORE record SET path = ?, key = ? WHERE id = ?", [path, key, record])

    def set_score(self, record: int, score: float | None) -> None:
        with self._database.writing() as connection:
            connection.execute("UPDATE record SET score = ? WHERE id = ?", [score, record])

    def remove(self, ids: Sequence[int]) -> None:
        for part in parts(ids):
            gone = self.records(part)
            with self._database.writing() as connection:
                for record in gone:
                    forget = "INSERT INTO words (words, rowid, body) VALUES ('delete', ?, ?)"
                    connection.execute(forget, [record.id, spaced(record.words)])
                of_records = f"FROM record WHERE id IN ({marks(len(part))})"
                things = {
                    space: connection.execute(f"SELECT {space} {of_records}", part).fetchall() for space in SPACES
                }
                connection.execute(f"DELETE {of_records}", part)
                connection.execute(f"DELETE FROM thumbnail WHERE record IN ({marks(len(part))})", part)
                for space, hashes in things.items():
                    unused = f"thing = ? AND NOT EXISTS (SELECT 1 FROM record WHERE {space} = thing)"
                    connection.executemany(f"DELETE FROM {space} WHERE {unused}", hashes)
                    connection.executemany(f"DELETE FROM unencoded WHERE space = '{space}' AND {unused}", hashes)

    def all(self) -> Iterator[Record]:
        last = 0
        while rows := self._database.read(f"{READ} WHERE record.id > ? ORDER BY record.id LIMIT {AT_ONCE}", [last]):
            yield from map(read_record, rows)
            last = rows[-1][0]

    def facts(self) -> dict[str, object]:
        kinds = dict(self._database.read("SELECT kind, count(*) FROM record GROUP BY kind"))
        sources = dict(self._database.read("SELECT source, count(*) FROM record GROUP BY source"))
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
            "vectors of texts": self._database.read("SELECT count(*) FROM meaning")[0][0],
            "vectors of pictures": self._database.read("SELECT count(*) FROM look")[0][0],
            "vectors not in files": sum(each.segments.uncovered() for each in self._neighbours.values()),
            "bytes": sum(file.stat().st_size for file in files),
            "version": VERSION,
        }

    def check(self) -> list[str]:
        flaws = [text for (text,) in self._database.read("PRAGMA integrity_check(20)") if text != "ok"]
        if not flaws:
            (records,), (known,) = (
                self._database.read(f"SELECT count(*) FROM {table}")[0] for table in ("record", "words_docsize")
            )
            if records != known:
                flaws.append(
                    f"there are {records} records, but the index of words has {known}; repair it: t2i index rebuild"
                )
        return [*flaws, *(flaw for each in self._neighbours.values() for flaw in each.segments.check())]

    def rebuild(self, progress: Progress = silent) -> None:
        ((count,),) = self._database.read("SELECT count(*) FROM record")
        with (
            progress("Building the index of words", count) as advance,
            self._database.writing() as connection,
        ):
            connection.execute("INSERT INTO words (words) VALUES ('delete-all')")
            for record in self.all():
                index_words(connection, record.id, record)
                advance(1)
        for neighbours in self._neighbours.values():
            neighbours.segments.rebuild(progress)
