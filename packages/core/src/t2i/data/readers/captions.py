"""Which of a picture's texts are usable captions, and why others are not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from t2i.errors import DataError
from t2i.text import MAX_PROMPT_CHARACTERS

MAX_CAPTION_CHARACTERS = MAX_PROMPT_CHARACTERS  # longer captions could never be used as prompts
MAX_CAPTION_FILE_BYTES = 1_000_000
CAPTION_FIELDS = ("text", "caption", "captions")
GROUP_FIELDS = ("group", "class", "label")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def usable_captions(texts: Iterable[object]) -> tuple[tuple[str, ...], str]:
    """The usable captions of `texts`, stripped, and why the first other one is unusable ("" if none, or blank)."""
    kept, reason = [], ""
    for text in texts:
        why = _flaw(text)
        if why:
            reason = reason or why
        elif isinstance(text, str) and text.strip():
            kept.append(text.strip())
    return tuple(kept), reason


def read_caption_file(path: Path) -> list[str]:
    """The lines of a caption file.

    Raises:
        DataError: it is too large, not UTF-8, or cannot be read.
    """
    try:
        if path.stat().st_size > MAX_CAPTION_FILE_BYTES:
            raise DataError(f"{path.name} is larger than {MAX_CAPTION_FILE_BYTES} bytes")
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not UTF-8 at byte {error.start}") from None
    except OSError as error:
        raise DataError(f"{path.name} cannot be read ({error.strerror})") from None


def _flaw(text: object) -> str:
    if not isinstance(text, str):
        return "" if text is None else f"a caption must be a text, not {type(text).__name__}"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "a caption is not Unicode"
    if _CONTROL.search(text):
        return "a caption contains control characters"
    if len(text.strip()) > MAX_CAPTION_CHARACTERS:
        return f"a caption of {len(text.strip())} characters (at most {MAX_CAPTION_CHARACTERS})"
    return ""
