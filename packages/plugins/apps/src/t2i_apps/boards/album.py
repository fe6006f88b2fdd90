"""Pictures of several folders on one page, with notes: a concept board to show to others and to continue from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from t2i.display import printable
from t2i.drawing.formats import FORMATS
from t2i.drawing.provenance import find_provenance
from t2i.errors import InvalidInputError
from t2i.files import read_bytes, read_text
from t2i_apps.boards.shown import NOTE, Shown
from t2i_apps.pages.render import write_page

MOST_PICTURES = 2000
MOST_BYTES = 100_000_000  # of a picture
MOST_NOTE_BYTES = 20_000


@dataclass(frozen=True)
class Section:
    """Pictures that belong together.

    Attributes:
        title: the folder's name; "" for pictures that were named one by one.
    """

    title: str
    note: str
    pictures: tuple[Path, ...]


def album(sources: Sequence[Path], out: Path, *, title: str = "Album", note: str = "") -> int:
    """Write a page (.html) that needs no other file; its pictures keep their provenance.

    A note is a text file: note.txt in a folder, or NAME.txt next to the picture NAME.png.

    Args:
        sources: folders, of which the pictures with provenance are shown, and pictures.
        note: on the whole page.

    Returns:
        How many pictures it shows.

    Raises:
        InvalidInputError: a source has no picture, a file is no complete picture, or there are too many.
        OutputError: it cannot be written.
    """
    sections = _sections(sources)
    count = sum(len(section.pictures) for section in sections)
    if count > MOST_PICTURES:
        raise InvalidInputError(f"An album shows at most {MOST_PICTURES:,} pictures, got {count:,}. Make several.")
    write_page(out, "album.html", title=title, note=note, sections=_filled(sections))
    return count


def _sections(sources: Sequence[Path]) -> list[Section]:
    sections: list[Section] = []
    for source in sources:
        if source.is_dir():
            found = sorted(path for path in source.iterdir() if path.suffix.lower() in FORMATS and path.is_file())
            pictures = tuple(path for path in found if find_provenance(path) is not None)
            if not pictures:
                raise InvalidInputError(
                    f"{source} holds no picture that t2i drew. Give a folder of a board or of t2i generate."
                )
            sections.append(Section(source.resolve().name, _note(source / NOTE), pictures))
        else:
            find_provenance(source)  # whether it is a picture
            alone = sections.pop().pictures if sections and not sections[-1].title else ()
            sections.append(Section("", "", (*alone, source)))
    return sections


def _filled(sections: Sequence[Section]) -> Iterator[tuple[Section, Iterator[Shown]]]:
    for section in sections:
        yield section, map(_shown, section.pictures)


def _shown(path: Path) -> Shown:
    made = find_provenance(path)
    try:
        content = read_bytes(path, MOST_BYTES)
    except OSError as error:
        raise InvalidInputError(f"Cannot read {path}: {error.strerror}.") from None
    return Shown.of(path, content, made, _note(path.with_suffix(".txt")))


def _note(path: Path) -> str:
    """The text of a note; "" if there is none.

    Raises:
        InvalidInputError: it is too long, or not UTF-8.
    """
    if not path.exists():
        return ""
    try:
        return printable(read_text(path, MOST_NOTE_BYTES, "utf-8-sig").strip(), MOST_NOTE_BYTES, keep="\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InvalidInputError(f"The note {path} cannot be read: {reason}.") from None
