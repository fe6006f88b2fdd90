"""Runs docs/quick_start.md: every command in order in one folder, and its snippets."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown import blocks, commands, printed
from PIL import Image

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from fakes.squares import squares

PAGE = "docs/quick_start.md"
SHORTER = {"2000": "2", "3000": "3"}  # a few steps are enough


def test_every_command_works(t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    squares(tmp_path / "path" / "to" / "folder", 70)
    install, *rest = commands(PAGE)
    assert install[:3] == ["pip", "install", "uv"]  # these tests run in the environment that it makes
    for program, *words in rest:
        assert program == "t2i"
        asked = [SHORTER.get(word, word) for word in words]
        result = t2i(*asked, *(["train.batch_size=4"] if "--data" in asked else []))
        assert result.code == 0, (words, result.err)
    assert Image.open("first.png").size == (64, 64)
    assert len(list(Path("pandas").glob("0*-*.png"))) == 8 and Path("pandas/grid.png").is_file()
    assert Path("same.png").read_bytes() == Path("pandas/0001-a-panda-7.png").read_bytes()
    assert Path("runs/first/checkpoints/step-00000003").is_dir() and Path("runs/first/index.html").is_file()
    assert Image.open("red.png").size == (64, 64) and Path("both.png").is_file()


@pytest.mark.parametrize("snippet", [block.code for block in blocks(PAGE) if block.language == "python"])
def test_its_snippets_print_what_they_document(
    snippet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, PAGE, "exec"), {})
    assert capsys.readouterr().out.splitlines() == printed(snippet) != []
