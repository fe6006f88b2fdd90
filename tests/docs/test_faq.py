"""Runs the snippet of docs/faq.md; its commands are those of README."""

from __future__ import annotations

from pathlib import Path

import pytest
from markdown import ROOT, blocks

PAGE = "docs/faq.md"


def test_its_snippet_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (snippet,) = [block.code for block in blocks(PAGE) if block.language == "python"]
    exec(compile(snippet, PAGE, "exec"), {})


def test_its_commands_are_those_of_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    commands = [line for block in blocks(PAGE) if block.language == "sh" for line in block.code.splitlines()]
    assert commands
    assert all(command in readme for command in commands)
