"""Runs docs/hub.md against a Hub on loopback: every command in order in one folder, and the Python snippet."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from huggingface_hub import constants
from markdown import blocks
from PIL import Image

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from fakes.hub import FakeHub
from fakes.hub import cache as cache
from fakes.hub import hub as hub
from fakes.hub import server as server
from t2i.drawing.provenance import read_provenance

PAGE = "docs/hub.md"


def test_every_command_and_snippet_works(
    hub: FakeHub, t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "docs"
    pictures = folder / "path" / "to" / "folder"
    pictures.mkdir(parents=True)
    monkeypatch.chdir(folder)
    for colour in ("red", "green", "blue", "yellow"):
        Image.new("RGB", (40, 40), colour).save(pictures / f"{colour}.png")
        (pictures / f"{colour}.txt").write_text(f"a {colour} square\n")
    hub.repo("their-org/squares")
    page = blocks(PAGE)
    lines = [line for block in page if block.language == "sh" for line in block.code.splitlines()]
    for line in lines:
        pushed = hub.repos.get("my-org/red-squares")
        words = shlex.split(line.replace("COMMIT", pushed.refs["main"] if pushed else ""))
        with monkeypatch.context() as variables:
            while "=" in words[0]:
                set_variable(words.pop(0), hub, variables)
            hub.requests.clear()
            result = t2i(*words[1:])
        assert result.code == 0, (line, result.err)
        assert (hub.asked == []) == ("OFFLINE" in line or "COMMIT" in line or "train" in line), (line, hub.asked)
    assert hub.repos["my-org/secret-squares"].private
    assert set(hub.repos["my-org/red-squares"].refs) == {"main", "wide"}
    assert "refs/pr/1" in hub.repos["their-org/squares"].refs
    commit = hub.repos["my-org/red-squares"].refs["main"]
    assert read_provenance(folder / "red.png").artist.revision == commit
    assert Image.open(folder / "wide.png").size == (16, 16)
    (snippet,) = [block.code for block in page if block.language == "python"]
    exec(compile(snippet.replace("COMMIT", commit), PAGE, "exec"), {})
    assert (folder / "again.png").is_file()


def set_variable(assignment: str, hub: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what the client reads from its environment at import."""
    name, _, _ = assignment.partition("=")
    match name:
        case "HF_ENDPOINT":
            monkeypatch.setattr(constants, "ENDPOINT", hub.other_host)
            template = hub.other_host + "/{repo_id}/resolve/{revision}/{filename}"
            monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        case "HF_HUB_OFFLINE":
            monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        case _:
            raise AssertionError(f"this test does not know {name}")
