"""Runs docs/diffusers.md with tiny pipelines on a Hub on loopback, in place of the large ones of those names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from markdown import blocks, commands
from PIL import Image

import t2i_diffusers.plugin
from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from fakes.hub import FakeHub
from fakes.hub import cache as cache
from fakes.hub import hub as hub
from fakes.hub import server as server
from fakes.pipelines import tree_of, write_pipeline
from fakes.squares import squares
from t2i.registry import discovery
from t2i_diffusers.catalogue import MODELS

PAGE = "docs/diffusers.md"
SMALL = [replace(spec, resolution=32, steps=2) for spec in MODELS]


@pytest.fixture
def tiny_models(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, t2i_cache: Path):
    """The short names stand for tiny pipelines of 32 px."""
    tree = tree_of(write_pipeline("sd", tmp_path / "tiny"))
    for spec in SMALL:
        hub.repo(spec.repo, tree)
    monkeypatch.setattr(t2i_diffusers.plugin, "MODELS", SMALL)
    discovery.discover.cache_clear()
    yield
    discovery.discover.cache_clear()


@pytest.mark.usefixtures("tiny_models")
def test_every_command_works(t2i: T2I, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    Image.new("RGB", (64, 48), "red").save("photo.jpg")
    Image.new("L", (64, 48), 255).save("boat.png")
    squares(here / "my_pictures", 4)
    for program, *words in commands(PAGE):
        if program == "pip":
            continue
        words = ["2" if word == "1500" else word for word in words]  # steps of training
        result = t2i(*words)
        assert program == "t2i" and result.code == 0, (words, result.err)
    written = ("calm.png", "harbour.png", "filled.png", "large.png", "mine.png", "less.png")
    assert all(Image.open(name).width >= 32 for name in written)
    assert len([*Path("out").glob("0001-*.png")]) == 4


def test_every_block_is_of_commands() -> None:
    assert {block.language for block in blocks(PAGE)} == {"sh"}
