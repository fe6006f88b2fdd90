"""Reads what pictures and text files say, in this process or in the workers of an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from t2i.drawing.formats import FORMATS
from t2i.errors import DataError
from t2i.files import sha256_of
from t2i.plain_text import text_lines
from t2i_index.metadata.read import read_bounded, read_picture
from t2i_index.record import Entry, Record, within_calendar

TEXT_FILE = ".txt"
MOST_TEXT_BYTES = 100 * 2**20
MOST_LINE = 100_000  # characters


@dataclass
class Read:
    """What was found in some files.

    Attributes:
        entries: what to add.
        unknown: pictures whose metadata does not say what was drawn.
        unreadable: a sentence for each file that could not be read.
    """

    entries: list[Entry] = field(default_factory=list)
    unknown: int = 0
    unreadable: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Reading:
    """Opens a reader of files; the worker of an engine must see them under the same paths.

    Attributes:
        run: noted with every record.
    """

    run: str

    def __call__(self) -> Callable[[Sequence[Path]], Read]:
        """The function that reads files."""
        return self.read

    def read(self, paths: Sequence[Path]) -> Read:
        """What these pictures and text files say."""
        found = Read()
        for path in paths:
            try:
                if path.suffix.lower() == TEXT_FILE:
                    found.entries += _lines(path, self.run)
                elif (entry := read_picture(path, self.run)) is not None:
                    found.entries.append(entry)
                else:
                    found.unknown += 1
            except DataError as error:
                found.unreadable.append(f"{path} was left out: {error}")
        return found


def _lines(path: Path, run: str) -> Iterator[Entry]:
    """The lines of a text file; if a picture has the same name, they are its captions."""
    content = read_bounded(path, MOST_TEXT_BYTES)
    try:
        lines = text_lines(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise DataError("it is not UTF-8 text") from None
    time = within_calendar(path.stat().st_mtime)
    suffixes = (*FORMATS, *map(str.upper, FORMATS))
    picture = next((beside for suffix in suffixes if (beside := path.with_suffix(suffix)).is_file()), None)
    shown, digest = (path, "") if picture is None else (picture, sha256_of(picture))
    for line in dict.fromkeys(line.strip()[:MOST_LINE] for line in lines):
        if line:
            where = str(shown.absolute())
            yield Entry(Record("text", "", line, path=where, sha256=digest, time=time, run=run, source="file"))
