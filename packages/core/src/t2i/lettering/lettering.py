"""Draws captions in any script on a picture, wrapped between words."""

from __future__ import annotations

import logging
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from typing import final

from PIL import ImageDraw

from t2i.display import JOINERS
from t2i.lettering.fonts import font_with, is_plain, runs
from t2i.spelling import spelled

log = logging.getLogger(__name__)

ELLIPSIS = "…"
IDEOGRAPHS = (
    "\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"  # scripts without spaces between words
)
WORD = re.compile(rf"\s*(?:[{IDEOGRAPHS}]|[^\s{IDEOGRAPHS}]+)")
PART = re.compile(r"\s*[^-./_:@=\\]*[-./_:@=\\]*")  # in a word that is too long, such as a path


@final
class Lettering:
    """Draws text of one size. Emoji are replaced by their names, and letters without a font are transliterated.

    Args:
        size: in pixels.
    """

    def __init__(self, size: int) -> None:
        self._size = size

    def lines(self, text: str, width: float, most: int | None = None) -> list[str]:
        """The text in lines of at most `width` pixels, broken between words.

        A word that is wider is broken after punctuation. Text that is still too wide, or beyond line `most`, is
        replaced by an ellipsis.
        """
        lines: list[str] = []
        for unit in self._units(_readable(text), width):
            if lines and self.width(lines[-1] + unit) <= width:
                lines[-1] += unit
            else:
                lines.append(unit.lstrip())
        kept = lines[:most]
        if len(kept) < len(lines):
            kept[-1] += ELLIPSIS
        return [self._fitting(line, width) for line in kept]

    def width(self, line: str) -> float:
        """The width of a line, in pixels."""
        return sum(font.getlength(part) for part, font in runs(line, self._size)) if line else 0.0

    def write(self, draw: ImageDraw.ImageDraw, left: float, top: float, line: str, fill: str = "black") -> None:
        """Write a line with its upper left corner at (left, top)."""
        for part, font in runs(line, self._size):
            if is_plain(line):
                draw.text((left, top), part, fill=fill, font=font)
            else:  # parts in several fonts share a baseline
                draw.text((left, top + self._size), part, fill=fill, font=font, anchor="ls")
            left += font.getlength(part)

    def _units(self, text: str, width: float) -> Iterator[str]:
        """The text split at the places where a line may end."""
        for word in WORD.findall(text):
            yield from [word] if self.width(word.strip()) <= width else filter(None, PART.findall(word))

    def _fitting(self, line: str, width: float) -> str:
        if self.width(line) <= width:
            return line
        text = line.removesuffix(ELLIPSIS)
        fits = bisect_right(range(1, len(text) + 1), width, key=lambda end: self.width(text[:end] + ELLIPSIS))
        return text[:fits].rstrip() + ELLIPSIS


def _readable(text: str) -> str:
    """The text with characters that can be written: no emoji, no control characters, no letter without a font."""
    text = " ".join(spelled(unicodedata.normalize("NFC", text)).split())
    if text.isascii() and text.isprintable():
        return text
    from anyascii import anyascii

    kept = [c for c in text if c in JOINERS or unicodedata.category(c)[0] != "C"]
    missing = {c for c in kept if not (c.isascii() or c in JOINERS or font_with(c))}
    if missing:
        _say_what_is_missing(min(missing))
    return "".join(anyascii(c) if c in missing else c for c in kept)


_said: set[str] = set()  # characters this process has warned of


def _say_what_is_missing(character: str) -> None:
    """Log once per process that letters without a font are transliterated."""
    if not _said:
        _said.add(character)
        log.warning(
            f"No font on this machine has letters such as {character!r}, so captions have Latin letters instead. "
            f"Install one that has them, such as Noto (on Debian: fonts-noto-core, and fonts-noto-cjk for Chinese, "
            f"Japanese and Korean)."
        )
