"""Markdown with all user input escaped."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from t2i.display import printable

LONGEST_LINE = 1000  # characters of a cell or a line


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose cells show their text literally."""
    lines = [map(plain, heads), ["---"] * len(heads), *(map(plain, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def plain(text: str) -> str:
    """`text` as one line of Markdown that shows exactly these characters: no markup, link, HTML or table cell."""
    line = printable(" ".join(_visible(text).split()), LONGEST_LINE)
    escaped = re.sub(r"([\\`*{}\[\]<>|&~#!$@^]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))", r"\\\1", line)
    escaped = re.sub(r"(?<=:)//", r"\\/\\/", escaped)
    escaped = re.sub(r"(?i)(?<=www)\.", r"\\.", escaped)
    return re.sub(r"^(\d{0,9})([-+=.)])(?![A-Za-z0-9])", r"\1\\\2", escaped)  # the start of a list, rule or heading


def fence(code: str, language: str = "") -> str:
    """`code` as a fenced block, which no line of it can close."""
    code = "\n".join(_visible(line) for line in code.split("\n"))
    ticks = "`" * max(3, 1 + max(map(len, re.findall(r"`+", code)), default=0))
    return f"{ticks}{language}\n{code}\n{ticks}"


def _visible(text: str) -> str:
    """`text` with a space for each character that is invisible or changes the display order of others."""
    return "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text)
