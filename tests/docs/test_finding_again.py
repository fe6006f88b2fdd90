"""Runs docs/finding_again.md: every command in order in one folder, and its snippet."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown import blocks, commands, printed

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i

PAGE = "docs/finding_again.md"


def test_every_command_and_the_snippet_work(t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("T2I_INDEX", str(tmp_path / "index.sqlite"))
    said = {}
    for program, *words in commands(PAGE):
        assert program == "t2i"
        result = t2i(*words)
        assert result.code == 0, (words, result.err)
        said[" ".join(words)] = result.out
    assert "cat" not in said["search heart NOT two"] and "two" not in said["search heart NOT two"]
    assert Path("again.png").read_bytes() in [path.read_bytes() for path in Path("out").glob("0002-*.png")]
    (snippet,) = [block.code for block in blocks(PAGE) if block.language == "python"]
    shown: list[str] = []
    exec(compile(snippet, PAGE, "exec"), {"print": lambda value: shown.append(str(value))})
    assert shown == printed(snippet)
