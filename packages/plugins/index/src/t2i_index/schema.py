"""The tables of the index, and migrations of older files."""

from __future__ import annotations

import sqlite3

from t2i.errors import DataError
from t2i_index.record import hashed

APPLICATION_ID = 0x74326978  # "t2ix": marks the file as ours

VECTORS = """CREATE TABLE {} (
    id INTEGER PRIMARY KEY AUTOINCREMENT, record INTEGER NOT NULL UNIQUE, vector BLOB NOT NULL
)"""  # float16, little-endian, of length 1

SHARED_VECTORS = """CREATE TABLE {} (
    id INTEGER PRIMARY KEY AUTOINCREMENT, thing INTEGER NOT NULL UNIQUE, vector BLOB NOT NULL
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
    (
        "ALTER TABLE record ADD COLUMN edited TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE record ADD COLUMN frame TEXT NOT NULL DEFAULT '{}'",
        # hashes of its text and of its thumbnail, which name their vectors: equal ones share a vector
        "ALTER TABLE record ADD COLUMN meaning INTEGER",
        "ALTER TABLE record ADD COLUMN look INTEGER",
        "UPDATE record SET meaning = hashed(CASE text WHEN '' THEN prompt ELSE text END)",
        "UPDATE record SET look = (SELECT hashed(picture) FROM thumbnail WHERE thumbnail.record = record.id)",
        "CREATE INDEX record_meaning ON record (meaning)",
        "CREATE INDEX record_look ON record (look) WHERE look IS NOT NULL",
        *(
            statement.format(space)
            for space in ("meaning", "look")
            for statement in (
                "ALTER TABLE {0} RENAME TO old_{0}",
                SHARED_VECTORS,
                "INSERT OR IGNORE INTO {0} (thing, vector) SELECT record.{0}, old_{0}.vector "
                "FROM old_{0} JOIN record ON record.id = old_{0}.record ORDER BY old_{0}.id",
                "DROP TABLE old_{0}",
            )
        ),
        """CREATE TABLE unencoded (
            space TEXT NOT NULL, thing INTEGER NOT NULL, PRIMARY KEY (space, thing)
        ) WITHOUT ROWID""",
        """INSERT INTO unencoded SELECT DISTINCT 'meaning', meaning FROM record
            WHERE meaning NOT IN (SELECT thing FROM meaning)""",
        """INSERT INTO unencoded SELECT DISTINCT 'look', look FROM record
            WHERE look IS NOT NULL AND look NOT IN (SELECT thing FROM look)""",
        "DROP TABLE neighbours",
        # vectors with first < id <= last are in the file
        """CREATE TABLE segment (
            file TEXT PRIMARY KEY, space TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
            count INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL
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
    connection.create_function("hashed", 1, hashed, deterministic=True)
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
            f"version {VERSION}. Make it writable, and open it once: that brings it up to date."
        )


def _version(connection: sqlite3.Connection, where: str) -> int:
    connection.execute("SAVEPOINT version")  # another process may create the tables between the three
    try:
        (owner,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    finally:
        connection.execute("RELEASE version")
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
