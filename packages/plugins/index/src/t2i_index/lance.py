"""The index in LanceDB: a folder, or an address such as s3://bucket/index that many machines share.

Words are compared whole, without the English endings that SQLite's index of words ignores. Keys for S3 come from the
environment, as for every S3 client (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT, ...).
"""

from __future__ import annotations

import json
import secrets
import time
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from typing import Any, final

import numpy as np

from t2i.display import brief
from t2i.errors import DataError, OutputError, PluginBrokenError, T2IError
from t2i.progress import Progress, silent
from t2i_index.filters import Filters
from t2i_index.query import WORD, Query, parse_query, spaced
from t2i_index.record import Entry, Record
from t2i_index.rows import MAPPINGS, NAMES, read_record
from t2i_index.store import ANY, Space, Store, Vectors

COLUMNS = tuple(field.name for field in fields(Record))
AT_ONCE = 500
RANKED = 2_000  # matches that are ranked by how well they fit; if there are more, the newest


@final
class LanceStore(Store):
    """The index as LanceDB tables, which processes on many machines may use at the same time."""

    def __init__(self, where: str) -> None:
        """
        Raises:
            PluginBrokenError: the package lancedb is not installed.
            DataError, OutputError: the tables cannot be opened.
        """
        try:
            import lancedb
        except ImportError as error:
            raise PluginBrokenError(
                f"The index {where} needs LanceDB: pip install 't2i-index[lance]' ({error})"
            ) from None
        self._where = where
        with self._sentences("opened"):
            self._database = lancedb.connect(where)
            self._table: Any = (
                self._database.open_table("records")
                if "records" in self._names()
                else self._database.create_table("records", schema=_schema(), exist_ok=True)
            )
            added = [name for name in MAPPINGS if name not in self._table.schema.names]
            if added:  # the table is of an older version
                self._table.add_columns(dict.fromkeys(added, "'{}'"))

    @property
    def where(self) -> str:
        return self._where

    def close(self) -> None:
        pass  # it has no open file

    def add(self, entries: Sequence[Entry]) -> int:
        # ids increase with time on every machine; the lowest bits distinguish those of one moment
        first = time.time_ns() // 2**20 * 2**20 + secrets.randbelow(2**12) * 2**8
        rows: dict[str, dict[str, Any]] = {}
        for number, entry in enumerate(entries):
            rows.setdefault(entry.record.key.hex(), _row(entry, first + number))
        if not rows:
            return 0
        with self._sentences("written"):
            known = self._rows(f"key IN ({_quoted(rows)})", ["key"])
            new = {key: row for key, row in rows.items() if key not in {found["key"] for found in known}}
            if new:
                self._table.merge_insert("key").when_not_matched_insert_all().execute(list(new.values()))
            vectors = [
                (rows[entry.record.key.hex()]["id"], entry.meaning)
                for entry in entries
                if entry.meaning is not None and entry.record.key.hex() in new
            ]
            if vectors:
                self._add_vectors("meaning", [id_ for id_, _ in vectors], np.stack([vector for _, vector in vectors]))
        return len(new)

    def records(self, ids: Sequence[int]) -> list[Record]:
        found = {row["id"]: _record(row) for row in self._by_ids(ids, list(COLUMNS))}
        return [found[id_] for id_ in ids if id_ in found]

    def thumbnails(self, ids: Sequence[int]) -> Mapping[int, bytes]:
        return {row["id"]: row["thumbnail"] for row in self._by_ids(ids, ["id", "thumbnail"]) if row["thumbnail"]}

    def newest(self, filters: Filters, limit: int) -> list[int]:
        rows = self._read(_where(filters), ["id", "time"])
        rows.sort(key=lambda row: (-row["time"], -row["id"]))
        return [row["id"] for row in rows[:limit]]

    def by_words(self, query: str, filters: Filters, limit: int) -> list[int]:
        parsed = parse_query(query)
        rows = self._read(f"({_matching(parsed)}) AND {_where(filters)}", ["id", "prompt", "text"])
        rows.sort(key=lambda row: -row["id"])
        rows = sorted(rows[:RANKED], key=lambda row: parsed.fit(row["text"] or row["prompt"]))
        return [row["id"] for row in rows[:limit]]

    def by_vector(
        self, space: Space, vector: Vectors, filters: Filters, limit: int, *, least: float = ANY
    ) -> list[int]:
        if space not in self._names():
            return []
        with self._sentences("read"):
            wanted = limit
            while True:
                table: Any = self._database.open_table(space)
                search = table.search(vector.astype(np.float32)).distance_type("cosine")
                rows = search.select(["record", "_distance"]).limit(wanted).to_list()
                near = [row["record"] for row in rows if 1 - row["_distance"] >= least]
                passing = {row["id"] for row in self._by_ids(near, ["id"], _where(filters))}
                ids = [id_ for id_ in near if id_ in passing]
                if len(ids) >= limit or len(near) < wanted:
                    return ids[:limit]
                wanted *= 4

    def without_vector(self, space: Space) -> Iterator[list[Record]]:
        needs = "true" if space == "meaning" else "length(thumbnail) > 0"
        done = set()
        if space in self._names():
            done = {row["record"] for row in self._all(self._database.open_table(space), "true", ["record"])}
        missing = sorted(row["id"] for row in self._read(needs, ["id"]) if row["id"] not in done)
        for start in range(0, len(missing), AT_ONCE):
            yield self.records(missing[start : start + AT_ONCE])

    def set_vectors(self, space: Space, ids: Sequence[int], vectors: Vectors) -> None:
        with self._sentences("written"):
            self._add_vectors(space, ids, vectors)

    def use_encoder(self, space: Space, name: str) -> None:
        with self._sentences("written"):
            encoders = self._database.create_table("encoders", schema=_encoder_schema(), exist_ok=True)
            known = {row["space"]: row["name"] for row in self._all(encoders, "true", ["space", "name"])}
            if known.get(space) != name:
                if space in known and space in self._names():
                    self._database.drop_table(space)
                row = [{"space": space, "name": name}]
                merge = encoders.merge_insert("space").when_matched_update_all().when_not_matched_insert_all()
                merge.execute(row)

    def set_path(self, record: int, path: str) -> None:
        with self._sentences("written"):
            self._table.update(where=f"id = {int(record)}", values={"path": _text(path)})

    def set_score(self, record: int, score: float | None) -> None:
        with self._sentences("written"):
            self._table.update(where=f"id = {int(record)}", values={"score": score})

    def remove(self, ids: Sequence[int]) -> None:
        with self._sentences("written"):
            for part in _parts(ids):
                listed = ", ".join(str(int(id_)) for id_ in part)
                self._table.delete(f"id IN ({listed})")
                for space in ("meaning", "look"):
                    if space in self._names():
                        self._database.open_table(space).delete(f"record IN ({listed})")

    def all(self) -> Iterator[Record]:
        ids = sorted(row["id"] for row in self._read("true", ["id"]))
        for part in _parts(ids):
            yield from self.records(part)

    def facts(self) -> dict[str, object]:
        with self._sentences("read"):
            names = self._names()
            counted = {
                space: self._database.open_table(space).count_rows() for space in ("meaning", "look") if space in names
            }
            return {
                "where": self.where,
                "pictures": self._table.count_rows("kind = 'picture'"),
                "texts": self._table.count_rows("kind = 'text'"),
                "vectors of texts": counted.get("meaning", 0),
                "vectors of pictures": counted.get("look", 0),
            }

    def check(self) -> list[str]:
        with self._sentences("read"):
            keys = [row["key"] for row in self._rows("true", ["key"])]
        return [f"{len(keys) - len(set(keys))} records are duplicates"] if len(keys) > len(set(keys)) else []

    def rebuild(self, progress: Progress = silent) -> None:
        with self._sentences("written"):
            names = sorted(self._names())
            with progress("Rebuilding tables", len(names)) as advance:
                for name in names:
                    self._database.open_table(name).optimize()
                    advance(1)

    def _names(self) -> set[str]:
        with self._sentences("read"):
            return set(self._database.list_tables().tables)

    def _add_vectors(self, space: Space, ids: Sequence[int], vectors: Vectors) -> None:
        table = self._database.create_table(space, schema=_vector_schema(vectors.shape[1]), exist_ok=True)
        rows = [{"record": id_, "vector": vector.astype(np.float16)} for id_, vector in zip(ids, vectors, strict=True)]
        table.merge_insert("record").when_matched_update_all().when_not_matched_insert_all().execute(rows)

    def _by_ids(self, ids: Sequence[int], columns: list[str], where: str = "true") -> list[dict[str, Any]]:
        return [
            row
            for part in _parts(ids)
            for row in self._read(f"id IN ({', '.join(str(int(id_)) for id_ in part)}) AND {where}", columns)
        ]

    def _read(self, where: str, columns: list[str]) -> list[dict[str, Any]]:
        with self._sentences("read"):
            return self._rows(where, columns)

    def _rows(self, where: str, columns: list[str]) -> list[dict[str, Any]]:
        self._table.checkout_latest()  # other processes may have written
        return self._all(self._table, where, columns)

    @staticmethod
    def _all(table: Any, where: str, columns: list[str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (
            table.search().where(where).select(columns).limit(table.count_rows() + 1).to_list()
        )
        return found

    @contextmanager
    def _sentences(self, done: str) -> Iterator[None]:
        """Convert LanceDB's errors in the block into errors of ours."""
        try:
            yield
        except T2IError:
            raise
        except Exception as error:  # lancedb raises RuntimeError, ValueError, OSError and pyarrow's errors
            kind = OutputError if done == "written" else DataError
            raise kind(
                f"The index {self.where} cannot be {done}: {brief(error)}. Check the address, and keys and network."
            ) from None


def _schema() -> Any:
    import pyarrow as pa

    kinds = {"id": pa.int64(), "seed": pa.int64(), "score": pa.float64(), "time": pa.float64()}
    columns = {name: kinds.get(name, pa.string()) for name in COLUMNS}
    return pa.schema({**columns, "key": pa.string(), "words": pa.string(), "thumbnail": pa.binary()})


def _vector_schema(dim: int) -> Any:
    import pyarrow as pa

    return pa.schema({"record": pa.int64(), "vector": pa.list_(pa.float16(), dim)})


def _encoder_schema() -> Any:
    import pyarrow as pa

    return pa.schema({"space": pa.string(), "name": pa.string()})


def _row(entry: Entry, id_: int) -> dict[str, Any]:
    record = entry.record
    values = {name: getattr(record, name) for name in COLUMNS} | {"id": id_}
    row = {
        name: json.dumps(value) if name in MAPPINGS else _text(value) if isinstance(value, str) else value
        for name, value in values.items()
    }
    return row | {"key": record.key.hex(), "words": f" {_normal(record.words)} ", "thumbnail": entry.thumbnail}


def _record(row: Mapping[str, Any]) -> Record:
    return read_record([row["id"], *(row[name] for name in NAMES)])


def _normal(text: str) -> str:
    """The words of letters and digits, in lower case, without diacritics, separated by single spaces."""
    plain = unicodedata.normalize("NFKD", spaced(text).casefold())
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter)).replace("_", " ")
    return " ".join(WORD.findall(kept))


def _matching(query: Query) -> str:
    """The query as a condition on the column `words`, without characters that are special in LIKE or SQL."""
    groups: list[list[str]] = [[]]
    for term in query.terms:
        condition = f"words LIKE '% {_normal(' '.join(term.words))}{'%' if term.is_prefix else ' %'}'"
        if term.operator == "OR":
            groups.append([])
        groups[-1].append(f"NOT {condition}" if term.operator == "NOT" else condition)
    return " OR ".join(f"({' AND '.join(group)})" for group in groups)


def _where(filters: Filters) -> str:
    """The filters as SQL, with quoted values in place of the question marks."""
    sql, values = filters.sql()
    if not values:
        return "true"
    first, *others = sql.replace("record.", "").split("?")
    shown = ["'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value) for value in values]
    return first + "".join(value + part for value, part in zip(shown, others, strict=True))


def _quoted(keys: Mapping[str, object]) -> str:
    return ", ".join(f"'{key}'" for key in keys)


def _parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE))


def _text(value: str) -> str:
    return value.encode("utf-8", "backslashreplace").decode()
