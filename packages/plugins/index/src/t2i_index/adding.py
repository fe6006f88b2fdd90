"""Adds files that exist already: pictures by their metadata, and text files line by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from t2i.errors import DataError, InvalidInputError
from t2i.progress import Progress, Say, silent, unsaid
from t2i_index.metadata.read import FORMATS, read_bounded, read_picture
from t2i_index.record import Entry, Record
from t2i_index.store import Store

TEXT_FILE = ".txt"
MOST_TEXT_BYTES = 100 * 2**20
MOST_LINE = 100_000  # characters
AT_ONCE = 256  # files in one transaction


@dataclass
class Added:
    """The result of `add_folder`.

    Attributes:
        new: records added, by the program that made them.
        known: records that existed already.
        unknown: pictures whose metadata does not say what was drawn.
        unreadable: files that could not be read.
    """

    new: Counter[str] = field(default_factory=Counter)
    known: int = 0
    unknown: int = 0
    unreadable: int = 0


def add_folder(store: Store, folder: Path, run: str, progress: Progress = silent, warn: Say = unsaid) -> Added:
    """Add every picture and text file under `folder`, or the one file at that path.

    Args:
        run: noted with every record.
        warn: called with a sentence for each file that cannot be read.

    Raises:
        InvalidInputError: there is no such folder or file.
        DataError, OutputError: the index cannot be written.
    """
    if not folder.exists():
        raise InvalidInputError(f"There is no folder or file {folder}.")
    found = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
    files = [path for path in found if path.suffix.lower() in (*FORMATS, TEXT_FILE) and path.is_file()]
    added = Added()
    with progress("Adding files", len(files)) as advance:
        for start in range(0, len(files), AT_ONCE):
            part = files[start : start + AT_ONCE]
            entries = [entry for path in part for entry in _entries(path, run, added, warn)]
            for source in dict.fromkeys(entry.record.source for entry in entries):
                those = [entry for entry in entries if entry.record.source == source]
                count = store.add(those)
                added.new[source] += count
                added.known += len(those) - count
            advance(len(part))
    return added


def _entries(path: Path, run: str, added: Added, warn: Say) -> Iterator[Entry]:
    try:
        if path.suffix.lower() == TEXT_FILE:
            yield from _lines(path, run)
            return
        entry = read_picture(path, run)
    except DataError as error:
        added.unreadable += 1
        warn(f"{path} was left out: {error}")
        return
    if entry is None:
        added.unknown += 1
    else:
        yield entry


def _lines(path: Path, run: str) -> Iterator[Entry]:
    content = read_bounded(path, MOST_TEXT_BYTES)
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise DataError("it is not UTF-8 text") from None
    time = path.stat().st_mtime
    for line in dict.fromkeys(line.strip()[:MOST_LINE] for line in lines):
        if line:
            yield Entry(Record("text", "", line, path=str(path.absolute()), time=time, run=run, source="file"))
