"""Untrusted plain text: its lines, the longest prompt, and texts and names that are not Unicode."""

from __future__ import annotations

import re

MAX_PROMPT_CHARACTERS = 2000
_LINE_END = re.compile(r"\r\n|\n|\r")


def text_lines(text: str) -> list[str]:
    r"""The lines of a text, which end only with \n, \r\n or \r.

    `str.splitlines` also splits at U+2028, U+0085, vertical tabs and form feeds, which occur inside captions.
    """
    lines = _LINE_END.split(text)
    return lines[:-1] if not lines[-1] else lines


def is_unicode(text: str) -> bool:
    """Whether it has no byte that was not UTF-8, which readers turn into a lone surrogate."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def as_unicode(name: str) -> str:
    r"""`name` with every byte that is not UTF-8 escaped, such as "caf\xe9.png"; Unicode names stay as they are.

    Python reads such bytes in file names as lone surrogates, which cannot be encoded again.
    """
    return "".join(_escaped(character) for character in name) if not name.isprintable() else name


def _escaped(character: str) -> str:
    if not "\ud800" <= character <= "\udfff":
        return character
    if "\udc80" <= character <= "\udcff":  # surrogateescape, PEP 383
        return f"\\x{ord(character) - 0xDC00:02x}"
    return f"\\u{ord(character):04x}"
