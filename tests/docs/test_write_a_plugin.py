"""docs/write_a_plugin.md, followed to the letter: its files are installed, checked, trained and used."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from markdown import blocks
from PIL import Image

PAGE = "docs/write_a_plugin.md"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's files, and beside them what `pip install` would make of its pyproject.toml."""
    project = tmp_path_factory.mktemp("t2i-stripes")
    for block in blocks(PAGE):
        if block.title:
            path = project / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.code)
    facts = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    info = project / "src" / "t2i_stripes-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {facts['name']}\nVersion: {facts['version']}\n")
    entries = "\n".join(f"{name} = {target}" for name, target in facts["entry-points"]["t2i"].items())
    (info / "entry_points.txt").write_text(f"[t2i]\n{entries}\n")
    pictures = project / "path" / "to" / "folder"
    pictures.mkdir(parents=True)
    for colour in ("red", "green", "blue", "yellow"):
        Image.new("RGB", (40, 40), colour).save(pictures / f"{colour}.png")
        (pictures / f"{colour}.txt").write_text(f"a {colour} square\n")
    return project


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    paths = [str(project / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=project, env=environment, capture_output=True, text=True, timeout=300
    )


def test_its_own_tests_pass(project: Path) -> None:
    result = run(project, "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert result.returncode == 0, result.stdout + result.stderr


def test_its_commands_list_train_and_draw(project: Path) -> None:
    commands = next(block.code for block in blocks(PAGE) if block.language == "sh").splitlines()
    for command in commands:
        result = run(project, *shlex.split(command))
        assert result.returncode == 0, result.stderr
        if "models" in command:
            assert "eight coloured stripes" in result.stdout
    red, green, blue = Image.open(project / "stripes.png").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert red > green and red > blue, "fifty steps teach it what red is"
