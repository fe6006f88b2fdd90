"""Records as rows of SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, final

from t2i.errors import DataError
from t2i_index.connection import marks
from t2i_index.query import spaced
from t2i_index.record import Entry, Record, hashed, within_calendar
from t2i_index.store import Space, Vectors

COLUMNS = (
    "kind, prompt, text, model, seed, options, artist, widened, edited, frame, score, path, sha256, time, run, source"
)
NAMES = COLUMNS.split(", ")
READ = (
    f"SELECT record.id, {COLUMNS.replace('artist', 'artist.facts')} "
    "FROM record LEFT JOIN artist ON artist.id = record.artist"
)
INSERTED = f"key, meaning, look, {COLUMNS}"
INSERT = f"INSERT OR IGNORE INTO record ({INSERTED}) VALUES ({marks(INSERTED.count(',') + 1)})"
MAPPINGS = ("options", "artist", "widened", "edited", "frame")
TYPES = {"seed": int | None, "score": float | None, "time": float, **dict.fromkeys(MAPPINGS, dict)}  # others: str
EMPTY = "{}"
ENCODER = json.JSONEncoder(sort_keys=True)


@final
class Artists:
    """The numbers of artists, whose long facts are stored once; valid for one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known: dict[str, int] = {}

    def number(self, facts: str) -> int | None:
        """The number of an artist, new or old, by its facts as JSON; None if there is no artist."""
        if facts == EMPTY:
            return None
        if facts not in self._known:
            self._connection.execute("INSERT OR IGNORE INTO artist (facts) VALUES (?)", [facts])
            ((self._known[facts],),) = self._connection.execute("SELECT id FROM artist WHERE facts = ?", [facts])
        return self._known[facts]


def insert(connection: sqlite3.Connection, artists: Artists, entry: Entry) -> bool:
    """Insert an entry with everything that belongs to it; False if its record is there already."""
    record = entry.record
    meaning, look = hashed(record.meaning), hashed(entry.thumbnail) if entry.thumbnail else None
    facts = {name: getattr(record, name) for name in NAMES}
    facts |= {name: _json(facts[name]) for name in MAPPINGS}
    facts["artist"] = artists.number(facts["artist"])
    values = (record.key, meaning, look, *facts.values())
    added = connection.execute(INSERT, [_plain(value) if isinstance(value, str) else value for value in values])
    if added.rowcount != 1:
        return False
    id_ = added.lastrowid
    assert id_ is not None
    index_words(connection, id_, record)
    if entry.meaning is not None:
        connection.execute(
            "INSERT OR IGNORE INTO meaning (thing, vector) VALUES (?, ?)", [meaning, blob(entry.meaning)]
        )
        connection.execute("DELETE FROM unencoded WHERE space = 'meaning' AND thing = ?", [meaning])
    else:
        _to_encode(connection, "meaning", meaning)
    if look is not None:
        connection.execute("INSERT INTO thumbnail VALUES (?, ?)", [id_, entry.thumbnail])
        _to_encode(connection, "look", look)
    return True


def _to_encode(connection: sqlite3.Connection, space: Space, thing: int) -> None:
    sql = f"INSERT OR IGNORE INTO unencoded SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM {space} WHERE thing = ?)"
    connection.execute(sql, [space, thing, thing])


def last_vector(connection: sqlite3.Connection, space: Space) -> int:
    """The highest number of a vector, or 0."""
    return int(connection.execute(f"SELECT coalesce(max(id), 0) FROM {space}").fetchone()[0])


def index_words(connection: sqlite3.Connection, id_: int, record: Record) -> None:
    """Add the words of a record, whose number is `id_`, to the index of words."""
    connection.execute("INSERT INTO words (rowid, body) VALUES (?, ?)", [id_, spaced(record.words)])


def read_record(row: Sequence[Any]) -> Record:
    """The record in a row of READ.

    Raises:
        DataError: something else wrote the row.
    """
    id_, *values = row
    facts: dict[str, Any] = dict(zip(NAMES, values, strict=True))
    try:
        for name in MAPPINGS:
            facts[name] = json.loads(facts[name]) if facts[name] not in (None, EMPTY) else {}
    except (TypeError, ValueError, RecursionError):
        raise _damaged(id_, name) from None
    for name, value in facts.items():
        if not isinstance(value, TYPES.get(name, str)):
            raise _damaged(id_, name)
    return Record(**{**facts, "time": within_calendar(facts["time"])}, id=id_)


def _damaged(id_: object, name: str) -> DataError:
    return DataError(
        f"Record {id_} of the index was damaged: its {name} is not what t2i wrote. Move the index away; "
        f"`t2i index add FOLDER` adds your pictures again."
    )


def _json(value: Mapping[str, Any]) -> str:
    return ENCODER.encode(value) if value else EMPTY


def _plain(value: str) -> str:
    # some file names have unpaired surrogates, which SQLite cannot store
    return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()


def blob(vector: Vectors) -> bytes:
    """A vector as float16, little-endian."""
    return vector.astype("<f2").tobytes()
