"""A small index, and the command line run inside this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.command_line import t2i as t2i
from t2i_index.record import Entry, Record
from t2i_index.sqlite_store import SQLiteStore


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's index is."""
    path = tmp_path / "index.sqlite"
    monkeypatch.setenv("T2I_INDEX", str(path))
    return path


@pytest.fixture
def store(file: Path) -> Iterator[SQLiteStore]:
    """A new index."""
    opened = SQLiteStore(file, wait_seconds=0.1)
    yield opened
    opened.close()


def picture(prompt: str, number: int = 0, **facts: object) -> Entry:
    """A picture that was recorded, one file each."""
    record = Record(
        "picture", prompt, path=f"/pictures/{prompt}-{number}.png", sha256=f"{number:064x}", time=float(number)
    )
    return Entry(Record(**{**vars(record), **facts}))  # type: ignore[arg-type]


def text(line: str, **facts: object) -> Entry:
    """A line of a text file."""
    return Entry(Record(**{**vars(Record("text", "", line, source="file")), **facts}))  # type: ignore[arg-type]
