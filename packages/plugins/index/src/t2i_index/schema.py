"""The tables of the index, and migrations of older files."""

from __future__ import annotations

import sqlite3

from t2i.errors import DataError

APPLICATION_ID = 0x74326978  # "t2ix": marks the file as ours

VECTORS = """CREATE TABLE {} (
    id INTEGER PRIMARY KEY AUTOINCREMENT, record INTEGER NOT NULL UNIQUE, vector BLOB NOT NULL
)"""  # float16, little-endian, of length 1

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        "CREATE TABLE artist (id INTEGER PRIMARY KEY, facts TEXT NOT NULL UNIQUE)",
        # AUTOINCREMENT: a removed record's number is never used again, so derived files cannot confuse two records
        """CREATE TABLE record (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            key BLOB NOT NULL UNIQUE,
            kind TEXT NOT NULL,
            prompt TEXT NOT NULL,
            text TEXT NOT NULL,
            model TEXT NOT NULL,
            seed INTEGER,
            options TEXT NOT NULL,
            artist INTEGER REFERENCES artist,
            widened TEXT NOT NULL,
            score REAL,
            path TEXT NOT NULL,
            sha256 TEXT NOT NULL,
            time REAL NOT NULL,
            run TEXT NOT NULL,
            source TEXT NOT NULL
        )""",
        "CREATE INDEX record_time ON record (time)",
        "CREATE INDEX record_model ON record (model)",
        "CREATE INDEX record_seed ON record (seed)",
        "CREATE INDEX record_run ON record (run)",
        "CREATE INDEX record_score ON record (score) WHERE score IS NOT NULL",
        "CREATE TABLE thumbnail (record INTEGER PRIMARY KEY, picture BLOB NOT NULL)",
        VECTORS.format("meaning"),
        VECTORS.format("look"),
        "CREATE TABLE encoder (space TEXT PRIMARY KEY, name TEXT NOT NULL)",
        """CREATE TABLE neighbours (
            space TEXT PRIMARY KEY, file TEXT NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
            last INTEGER NOT NULL, count INTEGER NOT NULL
        )""",
        """CREATE VIRTUAL TABLE words USING fts5 (
            body, content='', tokenize="porter unicode61 remove_diacritics 2"
        )""",
    ),
)
"""The statements that migrate each version of the schema to the next; released ones never change."""

VERSION = len(MIGRATIONS)


def bring_up_to_date(connection: sqlite3.Connection, where: str) -> None:
    """Create the tables in a new file, or migrate an older one, completely or not at all.

    Raises:
        DataError: the file belongs to another program, or to a newer t2i-index.
    """
    if _version(connection, where) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")  # another process may be doing the same
    try:
        for statements in MIGRATIONS[_version(connection, where) :]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def check_version(connection: sqlite3.Connection, where: str) -> None:
    """
    Raises:
        DataError: the file is opened read-only and has a different version.
    """
    found = _version(connection, where)
    if found != VERSION:
        raise DataError(
            f"The index {where} has version {found} of its tables and is read-only, but this t2i-index needs "
            f"version {VERSION}. Make it writable once."
        )


def _version(connection: sqlite3.Connection, where: str) -> int:
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if owner != APPLICATION_ID and (tables or owner):
        raise DataError(
            f"{where} is a database of another program, not an index of t2i. Set T2I_INDEX to another file."
        )
    if version > VERSION:
        raise DataError(
            f"The index {where} has version {version} of its tables, but this t2i-index knows up to {VERSION}. "
            f"Update it: pip install --upgrade t2i-index"
        )
    return int(version)
