"""Rows of tables as programs write them: separators, marks, and rows that are left out with their reasons."""

from __future__ import annotations

import io

import pytest

from t2i.data.readers import tables
from t2i.data.readers.tables import table_rows
from t2i.errors import DataError


def read(name: str, content: str | bytes, *, strict: bool = False) -> tuple[list[object], list[tuple[str, str]]]:
    """The rows, and what was left out."""
    left: list[tuple[str, str]] = []
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    return list(table_rows(file, name, lambda where, reason: left.append((where, reason)), strict=strict)), left


@pytest.mark.parametrize(
    "content",
    [
        'a,b\n1,"x, y"\n',
        'a;b\n1;"x, y"\n',
        "a\tb\r\n1\tx, y\r\n",
        "\ufeffsep=;\r\na;b\r\n1;x, y\r\n",
        "sep=|\na|b\n1|x, y\n",
        '\n\na , b\n\n1,"x, y"\n',
    ],
)
def test_separators_of_csv(content: str) -> None:
    rows, left = read("t.csv", content)
    assert [row for _, row in rows] == [{"a": "1", "b": "x, y"}] and not left  # type: ignore[misc]


def test_rows_of_another_length_are_left_out_only_if_strict() -> None:
    content = "a,b\n1\n1,2,3\n1,2\n"
    assert [row for _, row in read("t.csv", content)[0]] == [{"a": "1"}, *[{"a": "1", "b": "2"}] * 2]  # type: ignore[misc]
    rows, left = read("t.csv", content, strict=True)
    assert rows == [(4, {"a": "1", "b": "2"})]
    assert left == [("t.csv:2", "1 cells, but the header has 2"), ("t.csv:3", "3 cells, but the header has 2")]


def test_a_quote_without_its_partner_ends_at_the_limit_of_a_cell() -> None:
    rows, left = read("t.csv", 'a\n"' + "word\n" * 40_000)
    assert [where for where, _ in left][:1] == ["t.csv:26216"] and "field larger than" in left[0][1]
    assert len(rows) < 40_000


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", "a,b".encode("utf-16"), "UTF-16"),
        ("t.jsonl", '{"a": 1}'.encode("utf-16"), "UTF-16"),
        ("t.parquet", b"PAR1 no parquet", "not readable as parquet"),
    ],
)
def test_what_is_no_table(name: str, content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(name, content)
    with pytest.raises(DataError, match="the column 'a' twice"):
        read("t.csv", "a,a\n1,2\n", strict=True)


def test_a_line_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as the zeros of a sparse file of 10 GB."""
    monkeypatch.setattr(tables, "MAX_LINE_BYTES", 10)
    monkeypatch.setattr(tables, "MAX_SKIPPED_BYTES", 1000)
    file, left = io.BytesIO(b"a\n1\n" + b"x" * 900 + b"\n2\n" + bytes(10**6)), []
    rows = table_rows(file, "t.csv", lambda where, reason: left.append(where))
    assert [next(rows), next(rows)] == [(2, {"a": "1"}), (4, {"a": "2"})] and left == ["t.csv:3"]
    with pytest.raises(DataError, match="line 5 has more than 1000 bytes"):
        next(rows)
    assert file.tell() < 3000


def test_lines_that_are_no_json() -> None:
    rows, left = read("t.jsonl", b'\xef\xbb\xbf{"a": 1}\n\nno\n' + b"[" * 100_000 + b"\n[2]\n")
    assert rows == [(1, {"a": 1}), (5, [2])]
    assert [where for where, _ in left] == ["t.jsonl:3", "t.jsonl:4"]
