"""The open SQLite file of the index, whose errors are converted into ours."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, final

from t2i.errors import DataError, OutputError, T2IError
from t2i.files import unwritable
from t2i_index.schema import bring_up_to_date, check_version

WAIT_SECONDS = 5.0  # for another process that is writing
MOST_VALUES = 500  # in one statement
CACHE_KIBIBYTES = 65_536


@final
class Database:
    """The open file; threads share one connection."""

    def __init__(self, path: Path, wait_seconds: float = WAIT_SECONDS) -> None:
        """
        Raises:
            DataError, OutputError: as `connect`.
        """
        self.path = path
        self._lock = threading.RLock()
        self._connection = connect(path, wait_seconds)

    def read(self, sql: str, values: Sequence[object] = ()) -> list[Any]:
        """All rows of a query."""
        with self._lock, sentences(self.path):
            return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
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

    def close(self) -> None:
        """Close it; does nothing if it is closed."""
        with self._lock:
            self._connection.close()


def connect(path: Path, wait_seconds: float = WAIT_SECONDS) -> sqlite3.Connection:
    """Open the index at `path`, new or old; read-only if it cannot be written.

    Raises:
        DataError: it is not an index, is damaged, or was made by a newer version.
        OutputError: there is none, and none can be created.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None
    with sentences(path):
        try:
            connection = _writable(path, wait_seconds)
        except sqlite3.OperationalError as error:
            if not path.exists() or not any(reason in str(error) for reason in ("readonly", "unable to open")):
                raise
            connection = _readable(path, wait_seconds)
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIBIBYTES}")
        return connection


def parts(values: Sequence[int]) -> Iterator[Sequence[int]]:
    """The values, as many at a time as one statement takes."""
    return (values[start : start + MOST_VALUES] for start in range(0, len(values), MOST_VALUES))


def marks(count: int) -> str:
    """Placeholders for this many values."""
    return ", ".join("?" * count)


@contextmanager
def sentences(path: Path) -> Iterator[None]:
    """Convert SQLite's errors in the block into errors of ours.

    Raises:
        OutputError: the file is locked for too long, read-only, or the disk is full.
        DataError: anything else.
    """
    try:
        yield
    except T2IError:
        raise
    except sqlite3.OperationalError as error:
        reason = str(error)
        if "locked" in reason:
            raise OutputError(
                f"The index {path} is in use by another process that has not finished writing. Try again later."
            ) from None
        if any(word in reason for word in ("full", "readonly", "disk I/O", "unable to open")):
            raise OutputError(
                f"The index {path} cannot be written: {reason}. Free space, or check permissions."
            ) from None
        raise DataError(f"The index {path} cannot be read: {reason}. Check it: `t2i index check`.") from None
    except sqlite3.DatabaseError as error:
        raise DataError(
            f"The index {path} is damaged or not an index: {error}. Move it away; `t2i index add FOLDER` adds your "
            f"pictures again."
        ) from None


def _writable(path: Path, wait_seconds: float) -> sqlite3.Connection:
    connection = _open(f"{path.absolute().as_uri()}?mode=rwc", wait_seconds)
    try:
        _use_wal(connection, wait_seconds)
        connection.execute("PRAGMA synchronous = NORMAL")  # survives kill -9; a power cut may cost the last records
        bring_up_to_date(connection, str(path))
    except BaseException:
        connection.close()
        raise
    return connection


def _use_wal(connection: sqlite3.Connection, wait_seconds: float) -> None:
    """Allow readers and one writer at the same time (write-ahead log).

    SQLite itself does not wait if two processes do this to a new file: both have read it, and neither can write.
    """
    end = time.monotonic() + wait_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)


def _readable(path: Path, wait_seconds: float) -> sqlite3.Connection:
    last: sqlite3.OperationalError | None = None
    for mode in ("mode=ro", "mode=ro&immutable=1"):  # the second needs no file next to it
        connection = _open(f"{path.absolute().as_uri()}?{mode}", wait_seconds)
        try:
            check_version(connection, str(path))
            return connection
        except sqlite3.OperationalError as error:
            connection.close()
            last = error
        except BaseException:
            connection.close()
            raise
    assert last is not None
    raise last


def _open(uri: str, wait_seconds: float) -> sqlite3.Connection:
    return sqlite3.connect(uri, uri=True, timeout=wait_seconds, isolation_level=None, check_same_thread=False)
