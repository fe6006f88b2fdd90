"""The command line run inside this process, and one tiny trained run for all its tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from fakes import plots
from fakes.command_line import t2i as t2i
from fakes.distributions import site as site
from t2i.cli.main import main

COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "black", "white", "pink", "grey")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset folder of ten coloured squares."""
    folder = tmp_path_factory.mktemp("squares")
    for colour in COLOURS:
        Image.new("RGB", (16, 16), colour).save(folder / f"{colour}.png")
        (folder / f"{colour}.txt").write_text(f"a {colour} square\n")
    return folder


@pytest.fixture(scope="session")
def run_folder(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished tiny run; tests that change it work on a copy."""
    out = tmp_path_factory.mktemp("runs") / "tiny"
    arguments = ["t2i", "train", "cgan", "--recipe", "tiny", "--data", str(squares), "--out", str(out)]
    with plots.drawn(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [*arguments, "--device", "cpu"])
        with pytest.raises(SystemExit) as exited:
            main()
    assert exited.value.code == 0
    return out
