"""Prompts from a text file."""

from __future__ import annotations

from pathlib import Path

from t2i.errors import InvalidInputError
from t2i.files import read_bytes
from t2i.plain_text import text_lines

MAX_PROMPTS_BYTES = 100_000_000


def read_prompts(path: Path) -> list[str]:
    """The file's non-empty lines.

    Raises:
        InvalidInputError: it is missing, too large, not UTF-8 (names the line), or has no prompt.
    """
    try:
        content = read_bytes(path, MAX_PROMPTS_BYTES)
    except OSError as error:
        raise InvalidInputError(f"Cannot read the prompts in {path}: {error.strerror}.") from None
    try:
        lines = text_lines(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InvalidInputError(
            f"{path} must be UTF-8 text, but line {line} has the byte 0x{content[error.start]:02x}. Save it as UTF-8."
        ) from None
    prompts = [line.strip() for line in lines if line.strip()]
    if not prompts:
        raise InvalidInputError(f"{path} holds no prompt. Write one per line.")
    return prompts
