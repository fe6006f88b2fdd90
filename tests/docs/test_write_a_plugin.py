"""Follows docs/write_a_plugin.md exactly: create the plugin, change each file, test, train and use it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from markdown import blocks
from PIL import Image

from fakes.distributions import install_project

PAGE = "docs/write_a_plugin.md"
CODE = {block.title: block.code for block in blocks(PAGE)}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project of the page's first command, with the page's files instead of the toy's, and pictures to train on."""
    folder = tmp_path_factory.mktemp("page")
    begun = run(folder, *shlex.split(CODE["begin"]))
    assert begun.returncode == 0, begun.stderr
    project = folder / "t2i-stripes"
    for title, code in CODE.items():
        if "/" in title:
            assert (project / title).is_file(), f"{title} replaces no file"
            (project / title).write_text(code)
    install_project(project)
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
        [sys.executable, "-m", *command], cwd=project, env=environment, capture_output=True, text=True, timeout=600
    )


def test_the_documented_files_are_those_that_are_written(project: Path) -> None:
    text = Path(__file__).parents[2].joinpath(PAGE).read_text()
    for path in project.glob("*"):
        if path.is_file() and path.name != ".gitignore":
            assert path.name in text, f"the page leaves out {path.name}"


def test_its_own_tests_pass(project: Path) -> None:
    assert "pytest" in CODE["check that it works"].splitlines()
    result = run(project, "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert result.returncode == 0, result.stdout + result.stderr


def test_its_commands_work(project: Path) -> None:
    for command in CODE["use it"].splitlines():
        result = run(project, *shlex.split(command))
        assert result.returncode == 0, result.stdout + result.stderr
        if "models" in command:
            assert "eight coloured stripes" in result.stdout
    red, green, blue = Image.open(project / "stripes.png").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert red > green and red > blue, "fifty steps are enough to learn red"


def test_its_verb_prints_the_listeners_notes(project: Path) -> None:
    """Runs after the commands above, which train the run."""
    information = project / "src" / "t2i_diary-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.4\nName: t2i-diary\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[t2i]\ndiary = t2i_diary\n")
    (project / "src" / "t2i_diary.py").write_text(CODE["t2i_diary.py"])
    generate, diary = (run(project, *shlex.split(command)) for command in CODE["keep a diary"].splitlines())
    assert generate.returncode == 0, generate.stderr
    assert (diary.returncode, diary.stdout) == (0, "stripes.png: a red square\n"), diary.stderr
    assert "  diary " in run(project, "t2i", "--help").stdout
