"""Prompts from a text file, a table or standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path

from t2i.data.readers.tables import SUFFIXES, table_rows
from t2i.errors import DataError, InvalidInputError
from t2i.files import read_bytes
from t2i.plain_text import is_unicode, text_lines

MAX_PROMPTS_BYTES = 100_000_000
STDIN = Path("-")
COLUMN = "prompt"


def read_prompts(path: Path) -> list[str]:
    """The file's prompts.

    A text has one per line; empty lines, and comments (lines that start with #) are skipped. A prompt that starts with
    # is written with a backslash before it. A .csv, .jsonl or .parquet has them in its column "prompt", where empty
    cells are skipped.

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
    if path.suffix.lower() in SUFFIXES:
        prompts = [prompt for cell in _cells(content, name) if (prompt := cell.strip())]
    else:
        stripped = (line.strip() for line in text_lines(utf8_text(content, name)))
        kept = (line for line in stripped if line[:1] not in "#")
        prompts = [line.removeprefix("\\") if line.startswith("\\#") else line for line in kept]
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


def _cells(content: bytes, name: str) -> Iterator[str]:
    """The cells of a table's column COLUMN.

    Raises:
        InvalidInputError: it is no table of UTF-8 texts, has no such column, or a row cannot be read.
    """

    def refuse(where: str, reason: str) -> None:
        raise InvalidInputError(f"{where} cannot be read: {reason}. Correct the table, or leave the row out.")

    try:
        for where, row in table_rows(BytesIO(content), name, refuse, strict=True):
            if not isinstance(row, Mapping) or COLUMN not in row:
                columns = ", ".join(map(str, row)) if isinstance(row, Mapping) else ""
                raise InvalidInputError(f"{name} must have a column {COLUMN!r}, but has {columns or 'none'}.")
            cell = row[COLUMN]
            text = "" if cell is None else str(cell)
            if not is_unicode(text):
                refuse(f"{name}:{where}", "it is not UTF-8 text")
            yield text
    except DataError as error:
        raise InvalidInputError(f"Cannot read the prompts in {name}: {error}.") from None
