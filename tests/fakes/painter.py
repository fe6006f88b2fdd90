"""A working folder in which the command line draws and records."""

from __future__ import annotations

from pathlib import Path

import pytest

import t2i_index.listener as listener
from fakes.artist import write_artist


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a small artist, "painter", and no recorder of another test."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    write_artist(folder / "painter")
    listener._recorder.cache_clear()
    return folder
