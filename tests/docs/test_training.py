"""Runs docs/training.md: its commands in order in one folder, with its settings file."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from markdown import ROOT, blocks
from PIL import Image

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from t2i.training.report import health
from t2i.training.settings import RunConfig

PAGE = "docs/training.md"


def test_every_command_works(t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pictures = tmp_path / "path" / "to" / "folder"
    pictures.mkdir(parents=True)
    for colour in ("red", "green", "blue", "yellow", "black", "white", "purple", "orange"):
        Image.new("RGB", (16, 16), colour).save(pictures / f"{colour}.png")
        (pictures / f"{colour}.txt").write_text(f"a {colour} square\n")
    lines = []
    for block in blocks(PAGE):
        if block.title:
            (tmp_path / block.title).write_text(block.code)
        elif block.language == "sh":
            lines += block.code.splitlines()
    assert sum("--processes" in line or "accelerate launch" in line for line in lines) == 2
    for line in lines:
        program, *words = shlex.split(line)
        if program == "t2i" and "--processes" not in words:
            result = t2i(*words)
            assert result.code == 0, f"{line}\n{result.err}"
        else:
            run_in_processes(program, words)
    runs = tmp_path / "runs"
    for name, step in (("a", 20), ("b", 80), ("tuned", 20), ("two", 20), ("launched", 20)):
        assert (runs / name / "checkpoints" / f"step-{step:08d}" / "snapshot").is_dir(), name
        assert (runs / name / "index.html").is_file()
    assert (tmp_path / "mine.reference.jsonl").is_file()
    assert Image.open(tmp_path / "square.png").size == (16, 16)


def run_in_processes(program: str, words: list[str]) -> None:
    """A command that starts other processes needs one of its own."""
    module = {"t2i": "t2i", "accelerate": "accelerate.commands.accelerate_cli"}[program]
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    command = [sys.executable, "-m", module, *words]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert ended.returncode == 0, f"{words}\n{ended.stderr}"


def test_its_numbers_are_those_of_the_code() -> None:
    page = (ROOT / PAGE).read_text()
    assert f"{health.SATURATED:.0%}" in page and f"{health.COLLAPSED:.0%}" in page
    assert f"or at most {health.UNREACHED:g}" in page and "1e-5" in page and health.VANISHED == 1e-5
    assert health.LAST == 5 and "newest five" in page


@pytest.mark.parametrize("field", ["clip_norm", "channels_last", "compile", "deterministic", "precision", "accumulate"])
def test_the_settings_it_names_exist(field: str) -> None:
    assert field in type(RunConfig.model_fields["train"].default).model_fields
    assert f"`{field}`" in (ROOT / PAGE).read_text()
