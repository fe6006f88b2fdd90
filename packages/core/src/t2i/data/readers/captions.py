"""Which of a picture's texts are usable captions, and which columns of a table hold captions, pictures and groups."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from t2i.errors import DataError
from t2i.plain_text import MAX_PROMPT_CHARACTERS

MAX_CAPTION_CHARACTERS = MAX_PROMPT_CHARACTERS  # longer captions could never be used as prompts
MAX_CAPTION_FILE_BYTES = 1_000_000
CAPTION_COLUMNS = ("text", "caption", "captions", "prompt", "title", "description")
IMAGE_COLUMNS = ("file_name", "image", "filename", "path", "image_path", "file")
GROUP_COLUMNS = ("group", "class", "label")
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_LINE_LIKE = re.compile("[\v\f\x85\u2028\u2029]")  # would be displayed as a new line
_REPLACED = re.compile(r"\ufffd+")


@dataclass(frozen=True)
class Columns:
    """The columns a user chose by name; "" leaves the choice to the lists above."""

    caption: str = ""
    image: str = ""

    def caption_of(self, names: Sequence[str]) -> str:
        """The column of captions.

        Raises:
            DataError: there is none.
        """
        return _chosen(names, self.caption, CAPTION_COLUMNS, "captions", "--caption-column")

    def image_of(self, names: Sequence[str], known: tuple[str, ...] = IMAGE_COLUMNS) -> str:
        """The column of pictures' file names, or of the pictures among `known`.

        Raises:
            DataError: there is none.
        """
        return _chosen(names, self.image, known, "pictures", "--image-column")


def group_of(names: Iterable[str]) -> str | None:
    """The column of groups, or None."""
    return _first(tuple(names), GROUP_COLUMNS)


@dataclass(frozen=True)
class Usable:
    """The usable captions of a picture, cleaned.

    Attributes:
        unusable: why the first unusable one is left out; "" if none is.
        note: how one was changed; "" if none was.
    """

    captions: tuple[str, ...]
    unusable: str
    note: str


def usable_captions(texts: Iterable[object]) -> Usable:
    """The usable ones of `texts`; blank and missing ones are skipped.

    U+FFFD replaces a lost character, in published captions mostly a space (reedscot/cvpr2016 issue 9), so it becomes
    a space.
    """
    kept: list[str] = []
    unusable = note = ""
    for text in texts:
        why = "" if is_missing(text) else _unusable(text)
        unusable = unusable or why
        if why or not isinstance(text, str):
            continue
        cleaned = _LINE_LIKE.sub(" ", text)
        if "\ufffd" in cleaned:
            cleaned, note = _REPLACED.sub(" ", cleaned), "U+FFFD in a caption, read as a space"
        if cleaned.strip():
            kept.append(cleaned.strip())
    return Usable(tuple(kept), unusable, note)


def usable_group(value: object) -> tuple[str, str]:
    """A group's name, or "" if it is missing or unusable; and the problem ("" if there is none)."""
    if is_missing(value):
        return "", ""
    if not isinstance(value, str | int | float):
        return "", f"a group must be a text or a number, not {type(value).__name__}"
    text = str(value).strip()
    why = _unusable(text).replace("caption", "group")
    return ("", why) if why else (text, "")


def is_missing(value: object) -> bool:
    """Whether a cell of a table is empty: null, or NaN as pandas writes it."""
    return value is None or (isinstance(value, float) and value != value)


def listed(value: object, column: str) -> list[object]:
    """The captions in one cell: a text, or a list of texts.

    Raises:
        DataError: it is something else.
    """
    captions = value if isinstance(value, list) else [value]
    if not all(isinstance(caption, str) or is_missing(caption) for caption in captions):
        raise DataError(f"{column} is neither a text nor a list of texts")
    return captions


def _chosen(names: Sequence[str], wanted: str, known: tuple[str, ...], what: str, option: str) -> str:
    found = wanted if wanted in names else None if wanted else _first(tuple(names), known)
    if found is None:
        listed_names = ", ".join(str(name)[:40] for name in names[:20]) or "none"
        missing = f"no column {wanted!r}" if wanted else f"no column of {what} ({', '.join(known)})"
        raise DataError(f"it has the columns {listed_names}, and {missing}; choose one with {option}")
    return found


@lru_cache  # a table's rows have the same columns
def _first(names: tuple[str, ...], known: tuple[str, ...]) -> str | None:
    by_lower = {name.lower(): name for name in reversed(names) if isinstance(name, str)}
    return next((by_lower[name] for name in known if name in by_lower), None)


def _unusable(text: object) -> str:
    if not isinstance(text, str):
        return f"a caption must be a text, not {type(text).__name__}"
    if _SURROGATE.search(text):
        return "a caption is not Unicode"
    if _CONTROL.search(text):
        return "a caption contains control characters"
    if len(text.strip()) > MAX_CAPTION_CHARACTERS:
        return f"a caption of {len(text.strip())} characters (at most {MAX_CAPTION_CHARACTERS})"
    return ""
