"""Rows of Arrow tables; one bad cell does not affect the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def rows_of(table: Any) -> Iterator[dict[str, object]]:
    """The rows of a `pyarrow.Table` or `RecordBatch`; bytes that are not UTF-8 become lone surrogates (PEP 383)."""
    columns = [_cells(table.column(place)) for place in range(table.num_columns)]
    names = table.schema.names
    for cells in zip(*columns, strict=True):
        yield dict(zip(names, cells, strict=True))


def _cells(column: Any) -> list[object]:
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:  # of one cell or more
        return [_cell(cell) for cell in column]


def _cell(cell: Any) -> object:
    try:
        return cell.as_py()
    except UnicodeDecodeError:
        pass
    if hasattr(cell, "as_buffer"):
        return cell.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")
    return [_cell(part) for part in cell.values] if hasattr(cell, "values") and cell.values is not None else None
