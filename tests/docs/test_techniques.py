"""Runs docs/techniques/: each page's commands in order in one folder, then its snippets."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown import ROOT, blocks, commands, pages, printed
from PIL import Image

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from fakes.squares import squares
from t2i.registry.describe import list_models

PAGES = (
    "docs/techniques/cgan.md",
    "docs/techniques/stackgan.md",
    "docs/techniques/attngan.md",
    "docs/techniques/dfgan.md",
    "docs/techniques/cvae.md",
    "docs/techniques/diffusers-lora.md",
    "docs/techniques/flow.md",
    "docs/techniques/layers.md",
    "docs/techniques/transformer.md",
    "docs/techniques/vaegan.md",
)


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_snippet_works(
    page: str, t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    squares(tmp_path / "path" / "to" / "folder", 40)
    for program, *words in commands(page):
        result = t2i(*words)
        assert program == "t2i" and result.code == 0, (words, result.err)
        if "-o" in words:
            written = Path(words[words.index("-o") + 1])
            pictures = list(written.glob("*.png")) if written.is_dir() else [written]
            assert pictures and all(Image.open(picture).width >= 8 for picture in pictures)
    for snippet in (block.code for block in blocks(page) if block.language == "python"):
        exec(compile(snippet, page, "exec"), {})
        assert capsys.readouterr().out.splitlines() == printed(snippet)


def test_every_technique_has_its_page() -> None:
    written = "".join((ROOT / page).read_text() for page in PAGES)
    for technique in list_models():
        for part in (technique, f"{technique}-settings"):
            assert f"{{include}} /_generated/{part}.md" in written, f"no page includes {part}"


def test_every_page_is_run() -> None:
    others = {"docs/techniques/index.md", "docs/techniques/history.md"}  # of no single technique
    assert {page for page in pages() if page.startswith("docs/techniques/")} == {*PAGES, *others}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_all_sections(page: str) -> None:
    text = (ROOT / page).read_text()
    titles = [line for line in text.splitlines() if line.startswith("## ")]
    departs = next(title for title in titles if title.startswith("## Where it departs from the paper"))
    assert titles == ["## The idea", "## What it optimises", departs, "## Try it", "## Numbers", "## Settings"]
    assert "../pictures/" in text and "\n$$\n" in text and "https://arxiv.org/abs/" in text
