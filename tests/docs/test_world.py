"""Runs the snippets of docs/world.md, and compares its numbers with the dataset."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from markdown import ROOT, blocks, printed
from PIL import Image, ImageChops, ImageStat

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from t2i.images import grid
from t2i_metrics.skills.evaluator import SHA256
from t2i_openmoji.world.phrasings import LISTS
from t2i_openmoji.world.splits import SIZES, entries
from t2i_openmoji.world.things import things

PAGE = "docs/world.md"


def test_the_snippets_print_what_they_document(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    scope: dict[str, Any] = {}
    for block in (block for block in blocks(PAGE) if block.language == "python"):
        exec(compile(block.code, PAGE, "exec"), scope)
        said += printed(block.code)
    assert capsys.readouterr().out.splitlines() == said


@pytest.mark.parametrize(("sheet", "columns", "scale"), [("forty", 8, 1), ("twenty", 5, 2)])
def test_its_commands_draw_its_sheets(
    t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sheet: str, columns: int, scale: int
) -> None:
    (command,) = (block.code for block in blocks(PAGE) if block.language == "sh" and f"{sheet}.txt" in block.code)
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("_*"))
    monkeypatch.chdir(tmp_path)
    assert t2i(*shlex.split(command)[1:]).code == 0
    sentences = (ROOT / "docs" / f"{sheet}.txt").read_text().splitlines()
    drawn = [Image.open(path).convert("RGB") for path in sorted((tmp_path / sheet).glob("0*.png"))]
    with Image.open(ROOT / "docs" / "pictures" / f"{sheet}.webp") as shown:
        differences = ImageChops.difference(grid(drawn, columns, sentences, scale=scale), shown.convert("RGB"))
    assert len(drawn) == len(sentences) == {"forty": 40, "twenty": 20}[sheet]
    assert max(ImageStat.Stat(differences).mean) < 2  # of 256 colours, in place of all


def test_its_numbers_are_the_datasets() -> None:
    page = (ROOT / PAGE).read_text()
    nouns = [noun for thing in things().values() for noun in thing.nouns]
    uncoloured = sum(not thing.colour for thing in things().values())
    assert f"**{len(things())} things**" in page
    assert f"under {len(nouns)} names" in page
    words = " ".join(page.split())
    assert f"also use {len(entries('synonyms'))} synonyms" in words
    assert f"{sum(len(thing.names) > 1 for thing in things().values())} things have more than one name" in words
    assert f"{uncoloured} things keep" in page
    assert f"**{sum(map(len, LISTS))} phrasings**" in page
    for split, count in {
        **SIZES,
        "test": len(entries("test")),
        "everyday-test": len(entries("everyday-test")),
        **{split: len(entries(split)) for split in ("names", "synonyms")},
    }.items():
        assert f"| `{split}` | {count:,} |" in page
    for one, other in (("everyday-single", "everyday-pairs"), ("varied", "everyday-varied")):
        assert f"| `{one}`, `{other}` | {len(entries(one)):,}, {len(entries(other)):,} |" in page


def test_the_table_equals_that_in_the_detectors_card() -> None:
    card = (ROOT / "packages/plugins/metrics/src/t2i_metrics/skills/weights/README.md").read_text()
    table = [line for line in card.splitlines() if line.startswith("|")]
    assert SHA256 in card
    assert len(table) == 10
    assert "\n".join(table) in (ROOT / PAGE).read_text()
