"""Runs README.md: every t2i command in order in one folder, and the Python snippet."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from markdown import ROOT, blocks
from PIL import Image

from t2i.cli.main import main
from t2i.evaluation.card import read_card_scores
from t2i.hub.layout import CARD
from t2i.registry import WeightsSpec
from t2i.registry.discovery import registry
from t2i.runs.checkpoints import latest_checkpoint
from t2i.snapshots.resolve import resolve

HISTORY = "openmoji-world:everyday-test"  # what docs/techniques/history.md asks all models
# Commands that are not run here, with the reason; each must be in README.
NOT_RUN = {
    "pip install uv": "these tests run in the environment that it makes",
    "uv run nox": "these sessions run this test",
    "--recipe world64": "half an hour; its result is in the card",
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


@pytest.mark.parametrize(("column", "model"), [(1, "layers.world64"), (2, "cvae.world64")])
def test_the_table_of_skills_agrees_with_the_index(column: int, model: str) -> None:
    lines = (ROOT / "README.md").read_text().partition("| the caption asks for | `layers.world64` |")[2].splitlines()
    shown = [float(line.split(" | ")[column]) for line in lines[2:9]]
    scores = registry().get(WeightsSpec, model)[0].scores
    skills = ("object", "colour", "count", "two_objects", "position", "attribution", "unseen_phrasing")
    assert shown == [float(f"{scores[f'skills_{skill}'].value:.2f}") for skill in skills]


def test_the_table_of_models_lists_all_as_the_history_does_best_first() -> None:
    readme = (ROOT / "README.md").read_text()
    lines = [line for line in readme.splitlines() if re.match(r"\| `[\w-]+\.world64`", line)]
    found = [[cell.strip("`") for cell in line.strip("| ").split(" | ")] for line in lines]
    shown = {name: (size, float(skills), float(kid)) for name, _, size, skills, kid in found}
    weights = [spec for spec, plugin in registry().all(WeightsSpec) if plugin.distribution == "t2i-starter"]
    assert shown == {spec.name: (f"{spec.size_bytes / 2**20:.1f} MiB", *asked(spec)) for spec in weights}
    assert [skills for _, skills, _ in shown.values()] == sorted((s for _, s, _ in shown.values()), reverse=True)


def asked(spec: WeightsSpec) -> tuple[float, float]:
    """Skills and KID of what the history asks all models, as README rounds them."""
    rows = read_card_scores(resolve(spec.name).folder / CARD)
    found = {row.metric: row.score.value for row in rows if row.score.protocol["data"] == HISTORY}
    return round(found["skills"], 2), round(found["kid"], 3)


def test_the_history_says_how_much_seeds_change() -> None:
    shares: dict[str, list[float]] = {}
    for spec in (spec for spec, plugin in registry().all(WeightsSpec) if plugin.distribution == "t2i-starter"):
        found = {
            (row.metric, row.score.protocol["data"]): row.score.value
            for row in read_card_scores(resolve(spec.name).folder / CARD)
        }
        for (metric, data), value in found.items():
            if metric == "diversity":
                shares.setdefault(data, []).append(value / found["diversity_ceiling", data])
    words = " ".join((ROOT / "docs/techniques/history.md").read_text().split())
    all_models, (layers,) = shares["openmoji-world:everyday-varied"], shares["openmoji-world:varied"]
    assert len(all_models) == 10
    assert f"differ from each other {min(all_models):.1f} (" in words and f" to {max(all_models):.1f} times (" in words
    assert f"their share is {layers:.1f}." in words


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
