"""Tables of pictures' names and captions, next to the pictures: metadata.jsonl, .csv, .parquet or captions.json."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO

from t2i.data.formats import FORMATS
from t2i.data.readers.captions import CAPTION_COLUMNS, IMAGE_COLUMNS, Columns, group_of, is_missing, listed
from t2i.data.readers.findings import Findings
from t2i.data.readers.sources import Source
from t2i.data.readers.tables import table_rows
from t2i.data.readers.tree import Tree
from t2i.errors import DataError
from t2i.plain_text import as_unicode

STEMS = ("metadata", "captions", "meta_cap")
SUFFIXES = (".jsonl", ".csv", ".parquet", ".json")  # the first one found in a folder is read
MAX_FILE_BYTES = 2**29  # of a table that has to be read completely


@dataclass
class Entry:
    """A picture that metadata names.

    Attributes:
        where: the first line that names it.
        group: "" if the metadata names none.
    """

    where: str
    source: Source
    captions: list[str] = field(default_factory=list)
    group: str = ""


def metadata_files(names: Sequence[str], found: Findings) -> list[str]:
    """The metadata files among `names`, one per folder; records which others are not read."""
    by_folder: dict[str, list[str]] = {}
    for name in metadata_like(names):
        by_folder.setdefault(posixpath.dirname(name), []).append(name)
    chosen = []
    for files in by_folder.values():
        first, *others = sorted(files, key=lambda name: (_rank(name), name))
        chosen.append(first)
        for other in others:
            found.remark(f"{other} is not read, because {first} is.")
    return chosen


def metadata_like(names: Iterable[str]) -> list[str]:
    """The files among `names` with the name of a metadata file, read or not."""
    return [name for name in names if _rank(name) is not None]


def read_metadata(tree: Tree, files: Iterable[str], columns: Columns, found: Findings) -> dict[str, Entry]:
    """The pictures that the metadata files name, by their names in `tree`; bad lines are left out."""
    entries: dict[str, Entry] = {}
    for file in files:
        for line, row in _rows(tree, file, found):
            where = f"{file}:{line}" if line else file
            try:
                name, captions, group = _checked(row, columns)
                name, source = _named(posixpath.dirname(file), name, tree)
            except DataError as error:
                found.leave_out(where, str(error))
                continue
            if kept := found.captions(where, captions):
                entry = entries.setdefault(name, Entry(where, source))
                entry.captions += kept
                entry.group = entry.group or found.group(where, group)
    return entries


def _rank(name: str) -> tuple[int, int] | None:
    """The priority of a file as its folder's metadata; None if it is not metadata."""
    stem, suffix = posixpath.splitext(posixpath.basename(name).lower())
    if stem not in STEMS or suffix not in SUFFIXES:
        return None
    return STEMS.index(stem), SUFFIXES.index(suffix)


def _rows(tree: Tree, file: str, found: Findings) -> Iterator[tuple[int | str, object]]:
    """The rows of a metadata file, each with its line or key."""
    suffix = posixpath.splitext(file.lower())[1]
    try:
        with tree.open(file, MAX_FILE_BYTES) as content:
            if suffix == ".json":
                yield from _json_entries(content, file)
            else:
                yield from table_rows(content, file, found.leave_out)
    except DataError as error:
        found.leave_out(file, str(error))
    except OSError as error:
        found.leave_out(file, f"cannot be read further ({error.strerror})")


def _json_entries(content: BinaryIO | BytesIO, file: str) -> Iterator[tuple[int | str, object]]:
    """A list of objects, or an object with pictures' names as keys, as kohya's scripts write it."""
    try:
        text = content.read(MAX_FILE_BYTES + 1)
        if len(text) > MAX_FILE_BYTES:
            raise DataError(f"larger than {MAX_FILE_BYTES} bytes; use metadata.jsonl")
        table = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON ({str(error)[:100]})") from None
    if isinstance(table, dict) and isinstance(table.get("annotations"), list):
        raise DataError(f"it has COCO's format; read it with coco:{file}")
    if isinstance(table, list):
        yield from ((f"[{place}]", row) for place, row in enumerate(table))
    elif isinstance(table, dict):
        for name, value in table.items():
            row = value if isinstance(value, dict) else {CAPTION_COLUMNS[0]: value}
            yield f"{name[:100]!r}", {IMAGE_COLUMNS[0]: name} | row
    else:
        raise DataError("neither a list of objects nor an object of captions by file name")


def _checked(row: object, columns: Columns) -> tuple[str, list[object], object]:
    """File name, captions and group (or None) of one row.

    Raises:
        DataError: it has no column of names or captions, or they are not texts.
    """
    if not isinstance(row, dict):
        raise DataError("not an object with file_name and text")
    image, caption, group = columns.image_of(list(row)), columns.caption_of(list(row)), group_of(row)
    if not isinstance(row[image], str):
        raise DataError(f"{image} is not a text" if not is_missing(row[image]) else f"{image} is empty")
    return row[image], listed(row[caption], caption), None if group is None else row[group]


def _named(folder: str, name: str, tree: Tree) -> tuple[str, Source]:
    """The picture that the metadata in `folder` calls `name`: its name in the tree, and its source.

    Names may have Windows' separators, or no suffix, as kohya's scripts write them.

    Raises:
        DataError: it is outside the tree, or there is no such picture.
    """
    last: DataError | None = None
    spellings = [name, *([name.replace("\\", "/")] if "\\" in name else [])]
    if not posixpath.splitext(name)[1]:
        spellings += [name + suffix for suffix in FORMATS]
    for spelling in spellings:
        path = posixpath.normpath(posixpath.join(folder, spelling))
        try:
            if path.startswith(("/", "../")) or path == "..":
                raise DataError(f"{as_unicode(name)} is outside the folder")
            return path, tree.source(path)
        except DataError as error:
            last = last or error
    raise last or DataError("it has no name")
