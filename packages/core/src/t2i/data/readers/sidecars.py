"""Captions in a file next to each picture: cat.txt, cat.caption, cat.png.txt or cat.json."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from pathlib import PurePosixPath

from t2i.data.formats import suffix_of
from t2i.data.readers.captions import MAX_CAPTION_FILE_BYTES, Columns, is_missing, listed
from t2i.data.readers.findings import Findings
from t2i.data.readers.tree import Tree
from t2i.errors import DataError
from t2i.plain_text import text_lines

TEXT_SUFFIXES = (".txt", ".caption", ".captions", ".cap")
SUFFIXES = (*TEXT_SUFFIXES, ".json")
_DOCUMENTS = frozenset(
    {
        "readme",
        "license",
        "licence",
        "copying",
        "notice",
        "authors",
        "credits",
        "attribution",
        "changelog",
        "requirements",
        "notes",
        "about",
        "classes",
        "labels",
        "prompts",
    }
)


class Sidecars:
    """The caption files of a tree, and which picture each belongs to; suffixes and names match in any case."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_lower: dict[str, list[str]] = defaultdict(list)
        for name in names:
            self._by_lower[name.lower()].append(name)
        self._taken: dict[str, str] = {}
        self._several: Counter[str] = Counter()

    def claim(self, picture: str) -> str | None:
        """The caption file of `picture`; None if there is none.

        Raises:
            DataError: it belongs to another picture already.
        """
        if not self._by_lower:
            return None
        stem = str(PurePosixPath(picture).with_suffix(""))
        wanted = [f"{base}{suffix}" for suffix in SUFFIXES for base in (stem, picture)]
        found = [name for name in map(self._find, wanted) if name is not None]
        if not found:
            return None
        for name in found[1:]:
            self._taken.setdefault(name, picture)
            self._several[f"*{found[0][len(stem) :]} is read, not *{name[len(stem) :]}"] += 1
        if self._taken.setdefault(found[0], picture) != picture:
            raise DataError(f"{PurePosixPath(found[0]).name} belongs to another picture of the same name")
        return found[0]

    def release(self, name: str) -> None:
        """Record that a claimed file has no caption after all."""
        del self._taken[name]

    @property
    def claimed(self) -> Collection[str]:
        """The caption files that belong to a picture."""
        return self._taken.keys()

    def remark(self, found: Findings) -> None:
        """Record which of several caption files of one picture is read."""
        for which, count in self._several.most_common():
            found.remark(f"{count:,} pictures have more than one caption file; {which}.")

    def orphans(self) -> list[str]:
        """The caption files that belong to no picture; text files such as README.txt and .json files do not count."""
        names = [name for names in self._by_lower.values() for name in names if name not in self._taken]
        return sorted(name for name in names if _is_caption_file(name))

    def _find(self, wanted: str) -> str | None:
        names = self._by_lower.get(wanted.lower(), [])
        return wanted if wanted in names else min(names, default=None)


def read_sidecar(tree: Tree, name: str, columns: Columns) -> Sequence[object]:
    """The captions in a caption file: one per line; in a .json, the caption column, a text or a list of texts.

    Raises:
        DataError: it cannot be read, or holds no caption.
    """
    base = PurePosixPath(name).name
    content = tree.read(name, MAX_CAPTION_FILE_BYTES)
    if suffix_of(name) == ".json":
        captions = listed(_of_json(content, base, columns), f"the caption in {base}")
    else:
        captions = list(caption_lines(content, base))
    if not any(isinstance(caption, str) and caption.strip() for caption in captions):
        raise DataError(f"{base} has no caption")
    return captions


def caption_lines(content: bytes, base: str) -> list[str]:
    """The lines of a caption file called `base`.

    Raises:
        DataError: it is not UTF-8.
    """
    try:
        return text_lines(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(f"{base} is not UTF-8 at byte {error.start}") from None


class NoCaptionError(DataError):
    """A .json next to a picture is not a caption but something else, such as an annotation."""


def _of_json(content: bytes, base: str, columns: Columns) -> object:
    try:
        entry = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{base} cannot be read ({str(error)[:100]})") from None
    if not isinstance(entry, dict):
        return entry
    try:
        column = columns.caption_of(list(entry))
    except DataError as error:
        raise NoCaptionError(f"{base} holds no caption: {error}") from None
    return "" if is_missing(entry[column]) else entry[column]


def _is_caption_file(name: str) -> bool:
    first_word = re.split(r"[^a-z]", PurePosixPath(name).stem.lower(), maxsplit=1)[0]
    return suffix_of(name) in TEXT_SUFFIXES and first_word not in _DOCUMENTS
