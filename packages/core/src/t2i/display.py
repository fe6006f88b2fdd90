"""Makes untrusted text safe to show: control characters visible, length bounded. Everything that prints uses it.

A file, a server's response or a plugin's message may contain anything, such as megabytes, or an escape sequence that
clears the terminal.
"""

from __future__ import annotations

import unicodedata

LONGEST_MESSAGE = 2000  # characters
CUT = " [...] "
INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # Unicode categories: control, format, surrogate, line, paragraph
JOINERS = "\u200c\u200d"  # format characters that emoji and Persian need


def printable(text: object, limit: int = LONGEST_MESSAGE, *, keep: str = "") -> str:
    """`str(text)` with every control or invisible character escaped, such as ``\\x1b`` or ``\\n``.

    Args:
        limit: the most characters of the result; a longer text is shortened to its start and end.
        keep: control characters to leave as they are, such as "\\n".
    """
    cut = _shortened(str(text), limit)
    if cut.isprintable():
        return cut
    return _shortened("".join(c if c in keep else _visible(c) for c in cut), limit)


def brief(message: Exception | str, limit: int = 300) -> str:
    """What a library's error or warning says, in one line, cut after `limit` characters."""
    return " ".join(str(message).split())[:limit]


def _visible(character: str) -> str:
    if character in JOINERS or unicodedata.category(character) not in INVISIBLE:
        return character
    return character.encode("unicode_escape").decode()


def _shortened(text: str, limit: int) -> str:
    """`text`, or its start and its end if it has more than `limit` characters."""
    if len(text) <= limit:
        return text
    end = limit // 3
    return text[: limit - end - len(CUT)] + CUT + text[-end:]


def with_error(value: float, standard_error: float | None) -> str:
    """A measured value, and its standard error if it is known: "0.412 ± 0.013"."""
    error = f" ± {standard_error:.2g}" if standard_error is not None else ""
    return f"{value:.4g}{error}"
