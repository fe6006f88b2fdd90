"""Runs docs/drawing.md: its commands in a shell, and its snippet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from markdown import blocks, printed

from t2i.drawing.provenance import read_provenance

PAGE = "docs/drawing.md"


def test_a_shell_runs_every_command(tmp_path: Path) -> None:
    script = "\n".join(["set -eo pipefail", *(block.code for block in blocks(PAGE) if block.language == "sh")])
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [read_provenance(tmp_path / name).prompt for name in ("panda.webp", "panda.jpg")] == ["a panda"] * 2
    prompts = [read_provenance(path).prompt for path in sorted((tmp_path / "animals").glob("0*.png"))]
    assert prompts == ["a panda", "a panda", "a fish", "a fish", "#1 medal", "#1 medal"]
    assert len(list((tmp_path / "night").glob("0*.jpg"))) == 2 and (tmp_path / "night" / "grid.png").is_file()


def test_its_snippet_prints_what_it_documents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (snippet,) = [block.code for block in blocks(PAGE) if block.language == "python"]
    exec(compile(snippet, PAGE, "exec"), {})
    assert capsys.readouterr().out.splitlines() == printed(snippet)
