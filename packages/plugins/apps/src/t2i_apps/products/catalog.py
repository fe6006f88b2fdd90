"""A table of products in a CSV, JSONL or parquet file, read row by row as often as needed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from t2i.arguments import shown
from t2i.data.readers.tables import SUFFIXES, LeaveOut, table_rows
from t2i.errors import DataError
from t2i.files import open_regular
from t2i.plain_text import as_unicode, is_unicode

MOST_COLUMNS = 1000


@dataclass(frozen=True)
class Row:
    """One product.

    Attributes:
        where: its place, such as "catalog.csv:17".
        cells: its texts by column; "" for an empty cell.
    """

    where: str
    cells: Mapping[str, str]


class Catalog:
    """The table at `path`, looked through once.

    Attributes:
        columns: the names of its columns, in order.
        count: the number of its rows, without those that cannot be read.
    """

    def __init__(self, path: Path) -> None:
        """
        Raises:
            DataError: it is no table, has no row, or has more than MOST_COLUMNS columns.
        """
        if path.suffix.lower() not in SUFFIXES:
            raise DataError(f"A catalog is a {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} file, but {path} is not.")
        self._path, self.count = path, 0
        problems: list[str] = []
        columns: dict[str, None] = {}
        for row in self.rows(lambda where, reason: problems.append(f"{where}: {reason}") if not problems else None):
            columns.update(dict.fromkeys(row.cells))
            self.count += 1
            if len(columns) > MOST_COLUMNS:
                raise DataError(f"A catalog has at most {MOST_COLUMNS:,} columns, but {path} has more.")
        if not self.count:
            raise DataError(f"{path} has no row that can be read{f' ({problems[0]})' if problems else ''}.")
        self.columns = tuple(columns)

    def __str__(self) -> str:
        return str(self._path)

    def rows(self, leave_out: LeaveOut) -> Iterator[Row]:
        """The rows that can be read.

        Args:
            leave_out: called with the place and the reason of each other one.

        Raises:
            DataError: the file cannot be read, or not further.
        """
        name = as_unicode(self._path.name)
        try:
            with open_regular(self._path) as content:
                for line, row in table_rows(content, name, leave_out, strict=True):
                    where = f"{name}:{line}" if isinstance(line, int) else f"{name}, {line}"
                    try:
                        yield Row(where, _cells(row))
                    except DataError as error:
                        leave_out(where, str(error))
        except DataError as error:
            raise DataError(f"{self._path} cannot be read as a table: {error}.") from None
        except OSError as error:
            raise DataError(f"Cannot read {self._path}: {error.strerror or error}.") from None


def _cells(row: object) -> dict[str, str]:
    """
    Raises:
        DataError: the row is no object, or a cell is neither text nor number.
    """
    if not isinstance(row, dict):
        raise DataError("not an object with a value for each column")
    return {_unicode(str(name), "a column's name"): _text(value, str(name)) for name, value in row.items()}


def _text(value: object, column: str) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return _unicode(value.strip(), column)
    if isinstance(value, bytes | list | dict | tuple):
        raise DataError(f"{shown(column)} is a {type(value).__name__}, not a text or a number")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _unicode(text: str, column: str) -> str:
    if not is_unicode(text):
        raise DataError(f"{shown(column)} has a byte that is not UTF-8. Save the table as UTF-8")
    return text
