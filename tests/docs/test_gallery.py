"""The commands of docs/gallery.md draw the pictures that the page shows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from markdown import DOCS, commands
from PIL import Image

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i

PAGE = "docs/gallery.md"
PROMPTS = (DOCS / "gallery.txt").read_text().splitlines()


def test_its_commands_draw_every_prompt(t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    shutil.copy(DOCS / "gallery.txt", tmp_path / "docs")
    for program, *words in commands(PAGE):
        result = t2i(*words)
        assert program == "t2i" and result.code == 0, (words, result.err)
    drawn = sorted(Path("out/gallery").glob("0*-*.png"))
    assert len(drawn) == len(PROMPTS) == 20
    assert all(path.stem.endswith("-0") for path in drawn), "each with the seed 0, as on the page"
    sheet = Image.open("sheet.png")
    assert sheet.height > sheet.width, "a row per prompt, one model"
