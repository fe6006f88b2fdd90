"""All records as JSON lines or parquet, for other programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from t2i.errors import OutputError
from t2i.files import write_atomic
from t2i_index.record import Record

SUFFIXES = (".jsonl", ".parquet")


def as_json(record: Record) -> dict[str, Any]:
    """A record as JSON, without empty or unknown fields."""
    return {key: value for key, value in asdict(record).items() if value not in ("", None, {})}


def check_suffix(path: Path) -> None:
    """
    Raises:
        OutputError: `path` ends in none of SUFFIXES.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise OutputError(
            f"Records are written as .jsonl or .parquet, but {path} is neither. Try {path.with_suffix('.jsonl')}."
        )


def export(records: Iterable[Record], path: Path) -> int:
    """Write the records to a .jsonl or .parquet file, completely or not at all; returns how many.

    Raises:
        OutputError: the name ends in something else, the file cannot be written, or parquet needs pyarrow.
    """
    check_suffix(path)
    rows = [as_json(record) for record in records]
    if path.suffix.lower() == ".jsonl":
        write_atomic(path, "".join(json.dumps(row) + "\n" for row in rows).encode())
    else:
        write_atomic(path, _parquet(rows))
    return len(rows)


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise OutputError("Writing parquet needs pyarrow. Install it: pip install 't2i-index[parquet]'") from None
    text = {name: pa.string() for name in ("kind", "prompt", "text", "model", "options", "artist", "widened")}
    text |= {name: pa.string() for name in ("edited", "frame", "path", "sha256", "run", "source")}
    schema = pa.schema({"id": pa.int64(), "seed": pa.int64(), "score": pa.float64(), "time": pa.float64(), **text})
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([_flat(row) for row in rows], schema=schema), sink)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values as JSON, and texts as valid Unicode."""
    return {
        key: json.dumps(value)
        if isinstance(value, Mapping)
        else value.encode("utf-8", "backslashreplace").decode()
        if isinstance(value, str)
        else value
        for key, value in row.items()
    }
