"""Runs README.md: every t2i command in order in one folder, and the Python snippet."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import pytest
from markdown import ROOT, blocks
from PIL import Image

from t2i.cli.main import main
from t2i.registry import WeightsSpec
from t2i.registry.discovery import registry
from t2i.runs.checkpoints import latest_checkpoint

# Commands that are not run here, with the reason; each must be in README.
NOT_RUN = {
    "pip install uv": "these tests run in the environment that it makes",
    "uv run nox": "these sessions run this test",
    "--recipe openmoji64": "an hour; its result is in the card",
    "t2i serve": "it runs until it is stopped; test_serving.py starts it",
    "curl": "test_serving.py sends it",
}
OTHER_ENVIRONMENTS = ("--torch-backend=cpu", "--index-url")  # blocks that make one, of more than a gigabyte


def t2i_commands() -> list[list[str]]:
    code = [block.code for block in blocks("README.md") if block.language == "sh"]
    assert [sum(option in each for each in code) for option in OTHER_ENVIRONMENTS] == [1, 1]
    here = [each for each in code if not any(option in each for option in OTHER_ENVIRONMENTS)]
    lines = [line for each in here for line in each.splitlines()]
    for reason in NOT_RUN:
        assert any(reason in line for line in lines), f"README no longer says {reason!r}"
    commands = [shlex.split(line, comments=True) for line in lines if not any(skip in line for skip in NOT_RUN)]
    first = shlex.split('t2i generate "a red heart" -o heart.png')  # follows `pip install uv &&`
    assert shlex.join(first) in " ".join(lines).replace('"', "'")
    assert all(command[:3] == ["uv", "run", "t2i"] for command in commands)
    return [first, *(command[2:] for command in commands)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("readme")
    pictures = folder / "path" / "to" / "folder"
    pictures.mkdir(parents=True)
    for colour in ("red", "green", "blue", "yellow"):
        Image.new("RGB", (70, 70), colour).save(pictures / f"{colour}.png")
        (pictures / f"{colour}.txt").write_text(f"a {colour} square\n")
    shutil.copytree(ROOT / "docs", folder / "docs", ignore=shutil.ignore_patterns("_*"))  # what is built
    return folder


@pytest.mark.parametrize(("column", "model"), [(1, "layers.world64"), (2, "stackgan-v2.openmoji64")])
def test_the_table_of_skills_agrees_with_the_index(column: int, model: str) -> None:
    lines = (ROOT / "README.md").read_text().partition("| the caption asks for | `layers.world64` |")[2].splitlines()
    shown = [float(line.split(" | ")[column]) for line in lines[2:9]]
    scores = registry().get(WeightsSpec, model)[0].scores
    skills = ("object", "colour", "count", "two_objects", "position", "attribution", "unseen_phrasing")
    assert shown == [float(f"{scores[f'skills_{skill}'].value:.2f}") for skill in skills]


def test_the_table_of_models_agrees_with_the_index() -> None:
    rows = [line.split(" | ") for line in (ROOT / "README.md").read_text().splitlines() if line.startswith("| `")]
    shown = {row[0].strip("| `"): [cell.strip("| ") for cell in row[2:]] for row in rows if "openmoji64" in row[0]}
    weights = [spec for spec, plugin in registry().all(WeightsSpec) if plugin.distribution == "t2i-starter"]
    weights = [spec for spec in weights if spec.tag == "openmoji64"]
    assert set(shown) == {spec.name for spec in weights}
    for spec in weights:
        size, _, *scores = shown[spec.name]
        assert size == f"{spec.size_bytes / 2**20:.1f} MiB"
        assert scores == [str(spec.scores[name]).partition(" on ")[0] for name in ("r_precision", "kid")]


def test_the_starters_table_agrees_with_the_index() -> None:
    lines = (ROOT / "packages/plugins/starter/README.md").read_text().splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]
    weights = [spec for spec, plugin in registry().all(WeightsSpec) if plugin.distribution == "t2i-starter"]
    said = {(spec.name, f"{spec.size_bytes / 2**20:.1f} MiB") for spec in weights}
    assert {(row[0].strip("`"), row[3]) for row in rows} == said


def test_every_command_works(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("T2I_INDEX", str(folder / "index.sqlite"))
    monkeypatch.setattr("t2i.training.run.seconds_a_step", lambda *arguments: 600.0)  # so that a run has few steps
    for command in t2i_commands():
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 0, command
    assert Image.open(folder / "heart.png").size == (64, 64)
    assert len(list((folder / "out").glob("0*-*.png"))) == 8
    assert (folder / "out" / "grid.png").exists()
    again, first = folder / "again.png", folder / "out" / "0001-a-red-heart-7.png"
    assert again.read_bytes() == first.read_bytes()
    assert Image.open(folder / "square.png").size == (64, 64)
    assert latest_checkpoint(folder / "runs" / "mine").step == 3


def test_the_python_snippet_prints_what_it_documents(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    (snippet,) = [block.code for block in blocks("README.md") if block.language == "python"]
    exec(compile(snippet, "README.md", "exec"), {})
    printed = capsys.readouterr().out.strip()
    assert printed == "[7, 8, 9, 10]"
    assert f"# {printed}" in snippet
