"""Runs docs/words.md: every command in order in one folder, and its snippet, with the real language model."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown import blocks, commands

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from t2i.drawing.provenance import read_provenance

PAGE = "docs/words.md"


def test_every_command_and_the_snippet_work(
    t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for program, *words in commands(PAGE):
        assert program == "t2i"
        result = t2i(*words)
        assert result.code == 0, (words, result.err)
    assert len(Path("prompts.txt").read_text().splitlines()) == 4 == len(list(Path("out").glob("0*-*.png")))
    found = read_provenance(Path("cabin.png"))
    assert found.prompt.startswith("cosy cabin, ") and found.widened is not None
    assert Path("again.png").read_bytes() == Path("cabin.png").read_bytes()
    (snippet,) = [block.code for block in blocks(PAGE) if block.language == "python"]
    exec(compile(snippet, PAGE, "exec"), {})
    assert len(capsys.readouterr().out.split()) >= 1
