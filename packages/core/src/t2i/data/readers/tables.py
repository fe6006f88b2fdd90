"""Rows of a CSV, JSONL or parquet table, one at a time; a bad row is left out with its reason."""

from __future__ import annotations

import codecs
import csv
import importlib.util
import json
import posixpath
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from itertools import chain
from typing import BinaryIO

from t2i.data.readers.rows import rows_of
from t2i.errors import DataError

SUFFIXES = (".csv", ".jsonl", ".parquet")
MAX_LINE_BYTES = 4_000_000
MAX_SKIPPED_BYTES = 2**28  # of one line; a file with a longer one is no text
PARQUET_ROWS = 8192  # read at once
DELIMITERS = ",;\t"  # Excel writes semicolons where the comma is the decimal point
SEPARATOR_LINE = re.compile(r"sep=([^\w\s]|\t)\s*", re.IGNORECASE)  # a first line of Excel's that names the delimiter

LeaveOut = Callable[[str, str], None]
"""Takes the place of a row, such as "catalog.csv:17", and the reason why it is left out."""
Rows = Iterator[tuple[int | str, object]]
"""The line or number of each row, and the row: a dict, or anything else that a line of JSONL holds."""


def table_rows(content: BinaryIO | BytesIO, file: str, leave_out: LeaveOut, *, strict: bool = False) -> Rows:
    """The rows of a table.

    Args:
        content: the opened file.
        file: its name, whose suffix in SUFFIXES says what it is.
        strict: in CSV, leave out rows that have more or fewer cells than the header; otherwise missing cells are
            missing columns, and further cells are ignored.

    Raises:
        DataError: it cannot be read at all, or not further.
        OSError: the file cannot be read further.
    """
    suffix = posixpath.splitext(file.lower())[1]
    if suffix == ".parquet":
        return _parquet_rows(content)
    lines = _lines(content, file, leave_out)
    return _csv_rows(lines, file, leave_out, strict) if suffix == ".csv" else _json_lines(lines, file, leave_out)


def _lines(content: BinaryIO | BytesIO, file: str, leave_out: LeaveOut) -> Iterator[tuple[int, bytes]]:
    """The lines with their numbers, without a byte order mark; a line that is too long is replaced by an empty one.

    Raises:
        DataError: it is UTF-16, or one line has more than MAX_SKIPPED_BYTES.
    """
    number = 0
    while line := content.readline(MAX_LINE_BYTES):
        number += 1
        if number == 1:
            if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise DataError("it is UTF-16 text. Save it as UTF-8 (in Excel: CSV UTF-8)")
            line = line.removeprefix(codecs.BOM_UTF8)
        if len(line) == MAX_LINE_BYTES and not line.endswith(b"\n"):
            skipped = 0
            while (rest := content.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
                skipped += len(rest)
                if skipped > MAX_SKIPPED_BYTES:
                    raise DataError(f"line {number} has more than {MAX_SKIPPED_BYTES} bytes. Give a text file")
            leave_out(f"{file}:{number}", f"a line of more than {MAX_LINE_BYTES} bytes")
            line = b"\n"
        yield number, line


def _json_lines(lines: Iterator[tuple[int, bytes]], file: str, leave_out: LeaveOut) -> Rows:
    for number, line in lines:
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError) as error:
                leave_out(f"{file}:{number}", f"not JSON ({str(error)[:100]})")


def _csv_rows(lines: Iterator[tuple[int, bytes]], file: str, leave_out: LeaveOut, strict: bool) -> Rows:
    texts = (line.decode("utf-8", "surrogateescape") for _, line in lines)
    first = next(texts, "")
    named = SEPARATOR_LINE.fullmatch(first)
    first = next(texts, "") if named else first
    delimiter = named[1] if named else max(DELIMITERS, key=lambda each: _cells(first, each))
    rows = csv.reader(chain([first], texts), delimiter=delimiter)
    header: list[str] | None = None
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            leave_out(f"{file}:{rows.line_num + bool(named)}", f"not a line of CSV ({error})")
            continue
        if row is None:
            return
        where = rows.line_num + bool(named)
        if not row:
            continue
        if header is None:
            header = [name.strip() for name in row]
            if strict and len(set(header)) < len(header):
                twice = next(name for name in header if header.count(name) > 1)
                raise DataError(f"its header has the column {twice!r} twice. Give each column its own name")
        elif strict and len(row) != len(header):
            leave_out(f"{file}:{where}", f"{len(row)} cells, but the header has {len(header)}")
        else:
            yield where, dict(zip(header, row, strict=False))


def _cells(line: str, delimiter: str) -> int:
    """How many cells the line has with this delimiter."""
    try:
        return len(next(csv.reader([line], delimiter=delimiter)))
    except csv.Error:  # a cell that is too long; the rows report it
        return 0


def _parquet_rows(content: BinaryIO | BytesIO) -> Rows:
    if importlib.util.find_spec("pyarrow") is None:
        raise DataError("parquet is read with pyarrow; install it: pip install pyarrow")
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    number = 0
    try:
        for batch in ParquetFile(content).iter_batches(PARQUET_ROWS):
            for row in rows_of(batch):
                yield f"row {number}", row
                number += 1
    except (ArrowException, OSError, ValueError) as error:
        raise DataError(f"not readable as parquet from row {number} ({str(error)[:100]})") from None
