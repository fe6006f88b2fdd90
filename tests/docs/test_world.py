"""Runs the snippets of docs/world.md, and compares its numbers with the dataset."""

from __future__ import annotations

from typing import Any

import pytest
from markdown import ROOT, blocks, printed

from t2i_metrics.skills.evaluator import SHA256
from t2i_openmoji.world.phrasings import LISTS
from t2i_openmoji.world.splits import SIZES, entries
from t2i_openmoji.world.things import things

PAGE = "docs/world.md"


def test_the_snippets_print_what_they_document(capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    scope: dict[str, Any] = {}
    for block in blocks(PAGE):
        exec(compile(block.code, PAGE, "exec"), scope)
        said += printed(block.code)
    assert capsys.readouterr().out.splitlines() == said


def test_its_numbers_are_the_datasets() -> None:
    page = (ROOT / PAGE).read_text()
    nouns = [noun for thing in things().values() for noun in thing.nouns]
    uncoloured = sum(not thing.colour for thing in things().values())
    assert f"**{len(things())} things**" in page
    assert f"under {len(nouns)} names" in page
    assert f"{uncoloured} things keep" in page
    assert f"**{sum(map(len, LISTS))} phrasings**" in page
    for split, count in {
        **SIZES,
        "test": len(entries("test")),
        "everyday-test": len(entries("everyday-test")),
        "names": len(entries("names")),
    }.items():
        assert f"| `{split}` | {count:,} |" in page


def test_the_table_equals_that_in_the_detectors_card() -> None:
    card = (ROOT / "packages/plugins/metrics/src/t2i_metrics/skills/weights/README.md").read_text()
    table = [line for line in card.splitlines() if line.startswith("|")]
    assert SHA256 in card
    assert len(table) == 10
    assert "\n".join(table) in (ROOT / PAGE).read_text()
