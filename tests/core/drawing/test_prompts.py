"""Prompts come from a text, or from the column "prompt" of a table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from t2i.drawing.prompts import read_prompts
from t2i.errors import InvalidInputError

PROMPTS = ["a cat, asleep", "#1 medal", 'two\nlines and a "quote"', "猫"]


def test_tables_give_their_prompts(tmp_path: Path):
    rows = [*PROMPTS, " ", ""]
    with (tmp_path / "p.csv").open("w", newline="", encoding="utf-8-sig") as file:
        table = csv.writer(file)
        table.writerow(["sku", "prompt"])
        table.writerows([[number, prompt] for number, prompt in enumerate(rows)])
    columns = {"sku": list(range(7)), "prompt": [*rows, None]}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "p.parquet", row_group_size=2)
    (tmp_path / "p.jsonl").write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in [*rows, None]))
    for name in ("p.csv", "p.jsonl", "p.parquet"):
        assert read_prompts(tmp_path / name) == PROMPTS, name


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.csv", b"sku,title\n1,a cat\n", "must have a column 'prompt', but has sku, title"),
        ("p.jsonl", b'{"title": "a cat"}\n', "must have a column 'prompt', but has title"),
        ("p.jsonl", b"[1]\n", "must have a column 'prompt', but has none"),
        ("p.jsonl", b"{\n", r"p.jsonl:1 cannot be read: not JSON"),
        ("p.csv", b"prompt\n\xff\n", "p.csv:2 cannot be read: it is not UTF-8 text"),
        ("p.csv", b"sku,prompt\n1,a cat,asleep\n", "p.csv:2 cannot be read: 3 cells"),
        ("p.csv", b"prompt\n\n", "holds no prompt"),
        ("p.csv", b"", "holds no prompt"),
        ("p.parquet", b"PAR1 not really PAR1", "Cannot read the prompts in .*p.parquet: not readable as parquet"),
    ],
)
def test_other_tables_are_errors(tmp_path: Path, name: str, content: bytes, message: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInputError, match=message):
        read_prompts(tmp_path / name)
