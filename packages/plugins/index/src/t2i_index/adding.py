"""Adds files that exist already: pictures by their metadata, and text files line by line."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from t2i.drawing.formats import FORMATS
from t2i.engine import Engine, OneProcess
from t2i.errors import InvalidInputError
from t2i.progress import Progress, Say, silent, unsaid
from t2i_index.reading import TEXT_FILE, Reading
from t2i_index.store import Store

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


def add_folder(
    store: Store,
    folder: Path,
    run: str,
    progress: Progress = silent,
    warn: Say = unsaid,
    engine: Engine | None = None,
) -> Added:
    """Add every picture and text file under `folder`, or the one file at that path.

    Args:
        run: noted with every record.
        engine: whose workers read the files; this process adds them to the store.
        warn: called with a sentence for each file that cannot be read.

    Raises:
        InvalidInputError: there is no such folder or file.
        DataError, OutputError: the index cannot be written.
    """
    if not folder.exists():
        raise InvalidInputError(f"There is no folder or file {folder}.")
    found = sorted(folder.rglob("*")) if folder.is_dir() else [folder]
    files = [path for path in found if path.suffix.lower() in (*FORMATS, TEXT_FILE) and path.is_file()]
    parts = [files[start : start + AT_ONCE] for start in range(0, len(files), AT_ONCE)]
    added = Added()
    with progress("Adding files", len(files)) as advance:
        for part, read in zip(parts, (engine or OneProcess()).map(Reading(run), parts), strict=True):
            for source in dict.fromkeys(entry.record.source for entry in read.entries):
                those = [entry for entry in read.entries if entry.record.source == source]
                count = store.add(those)
                added.new[source] += count
                added.known += len(those) - count
            for sentence in read.unreadable:
                warn(sentence)
            added.unreadable += len(read.unreadable)
            added.unknown += read.unknown
            advance(len(part))
    return added
