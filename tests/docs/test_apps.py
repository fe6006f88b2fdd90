"""Runs docs/products.md, stories.md and boards.md: every command in order, each page in its own folder."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from markdown import blocks, commands
from pypdf import PdfReader

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from t2i.drawing.provenance import read_provenance

PAGES = ("docs/products.md", "docs/stories.md", "docs/boards.md")


def run(page: str, t2i: T2I, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for block in blocks(page):
        if block.title:
            Path(block.title).write_text(block.code)
    for program, *words in commands(page):
        assert program == "t2i"
        result = t2i(*words)
        assert result.code == 0, (words, result.err)


def test_products(t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(PAGES[0], t2i, tmp_path, monkeypatch)
    with Path("shop/manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 12 == len(list(Path("padded").glob("*.png"))) == len(list(Path("sorted").rglob("*.webp")))
    assert (rows[1]["sku"], rows[1]["prompt"]) == ("BAG-02", "handbag")
    assert Path("again.png").read_bytes() == Path("padded/HEART-01.png").read_bytes()


def test_stories(t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(PAGES[1], t2i, tmp_path, monkeypatch)
    drawn = [read_provenance(path).prompt for path in sorted(Path("fox").iterdir())]
    assert drawn[0] == "a fox" and "a red balloon" in drawn and len(drawn) == 4
    assert len(PdfReader("fox.pdf").pages) == 6


def test_boards(t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(PAGES[2], t2i, tmp_path, monkeypatch)
    assert Path("again.png").read_bytes() == Path("things/0001-a-red-heart-1.png").read_bytes()
    assert Path("concept.html").read_text().count("<img") == 16
    assert {read_provenance(path).seed for path in Path("words").iterdir()} == {1}
    assert "Shapes with one colour each." in Path("concept.html").read_text()
