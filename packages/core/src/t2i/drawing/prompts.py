"""Prompts from a text file or standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from t2i.errors import InvalidInputError
from t2i.files import read_bytes
from t2i.plain_text import text_lines

MAX_PROMPTS_BYTES = 100_000_000
STDIN = Path("-")


def read_prompts(path: Path) -> list[str]:
    """The file's prompts, one per line; empty lines, and comments (lines that start with #) are skipped.

    A prompt that starts with # is written with a backslash before it.

    Args:
        path: a file, or STDIN.

    Raises:
        InvalidInputError: it is missing, too large, not UTF-8 (names the line), or has no prompt.
    """
    name = "standard input" if path == STDIN else str(path)
    try:
        content = sys.stdin.buffer.read(MAX_PROMPTS_BYTES + 1) if path == STDIN else read_bytes(path, MAX_PROMPTS_BYTES)
    except OSError as error:
        raise InvalidInputError(f"Cannot read the prompts in {name}: {error.strerror}.") from None
    if len(content) > MAX_PROMPTS_BYTES:
        raise InvalidInputError(f"{name} is larger than {MAX_PROMPTS_BYTES} bytes. Split it.")
    lines = text_lines(utf8_text(content, name))
    stripped = (line.strip() for line in lines)
    prompts = [line.removeprefix("\\") if line.startswith("\\#") else line for line in stripped if line[:1] not in "#"]
    if not prompts:
        raise InvalidInputError(f"{name} holds no prompt. Write one per line.")
    return prompts


def utf8_text(content: bytes, name: str) -> str:
    """The text of a file, without a byte order mark.

    Raises:
        InvalidInputError: it is not UTF-8; names the line.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidInputError(
            f"{name} must be UTF-8 text, but line {line} has the byte 0x{content[error.start]:02x}. Save it as UTF-8."
        ) from None
