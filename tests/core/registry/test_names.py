"""Parsing of every kind of model name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.distributions import FakeSite
from t2i.errors import InvalidInputError
from t2i.registry.names import ModelName

REGISTERED = {
    "cgan": ("cgan", ""),
    "cgan.world64": ("cgan", "world64"),
    "stackgan-v2.a.b": ("stackgan-v2", "a.b"),
    "no-such": ("no-such", ""),
    "CGAN": ("CGAN", ""),
    "": ("", ""),
}
HUB = {
    "hf-hub:org/repo": ("org/repo", ""),
    "hf-hub:org/repo@main": ("org/repo", "main"),
    "hf-hub:org/repo@refs/pr/1": ("org/repo", "refs/pr/1"),
    "hf-hub:": ("", ""),
}
FOLDERS = {
    "local-dir:runs/a": "runs/a",
    "local-dir:a:b@c": "a:b@c",
    "local-dir:cgan": "cgan",
    "runs/a": "runs/a",
    "./cgan": "./cgan",
    "/absolute/cgan.world64": "/absolute/cgan.world64",
    "2024-01-01 12:30/run": "2024-01-01 12:30/run",
    "..": "..",
}


@pytest.mark.parametrize(("text", "parts"), REGISTERED.items())
def test_registered_names(text: str, parts: tuple[str, str]) -> None:
    name = ModelName.parse(text)
    assert (name.kind, name.technique, name.tag, name.repo) == ("registered", *parts, "")


@pytest.mark.parametrize(("text", "parts"), HUB.items())
def test_names_on_the_hub(text: str, parts: tuple[str, str]) -> None:
    name = ModelName.parse(text)
    assert (name.kind, name.repo, name.revision, name.technique) == ("hub", *parts, "")
    assert ModelName.on_hub(*parts) == name


@pytest.mark.parametrize(("text", "folder"), FOLDERS.items())
def test_folders(text: str, folder: str) -> None:
    name = ModelName.parse(text)
    assert (name.kind, name.folder, name.technique, name.repo) == ("folder", Path(folder), "", "")


def test_a_word_is_a_folder_only_if_it_is_not_registered(
    site: FakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name means the same model in every directory, as for datasets."""
    site.install_plugin("zoo", models='[model("ant")]', weights='[weights("ant", "leaves")]')
    monkeypatch.chdir(tmp_path)
    for folder in ("ant", "ant.leaves", "ant.mine", "mine", "mine.old"):
        assert ModelName.parse(folder).kind == "registered"
        (tmp_path / folder).mkdir()
    assert [ModelName.parse(text).kind for text in ("ant", "ant.leaves")] == ["registered"] * 2
    for text in ("ant.mine", "mine", "mine.old", "./ant"):
        assert (ModelName.parse(text).kind, ModelName.parse(text).folder) == ("folder", Path(text))


@pytest.mark.parametrize(
    ("text", "meant"), [("hf-hup:org/repo", "hf-hub"), ("local-dri:x", "local-dir"), ("hf:org/repo", "")]
)
def test_an_unknown_prefix_is_refused_and_a_similar_one_suggested(text: str, meant: str) -> None:
    with pytest.raises(InvalidInputError, match=r"A model is named technique\[.tag\]") as caught:
        ModelName.parse(text)
    assert repr(text) in str(caught.value) and (f"Did you mean {meant!r}?" in str(caught.value)) == bool(meant)


def test_only_a_name_on_the_hub_is_pinned() -> None:
    commit = "0" * 40
    assert str(ModelName.parse("hf-hub:org/repo@main").pinned(commit)) == f"hf-hub:org/repo@{commit}"
    assert str(ModelName.parse("hf-hub:org/repo@main").pinned("")) == "hf-hub:org/repo@main"
    for text in ("cgan.world64", "runs/a"):
        assert str(ModelName.parse(text).pinned(commit)) == text


@given(st.text())
def test_any_text_is_a_name_or_a_one_sentence_error(text: str) -> None:
    try:
        name = ModelName.parse(text)
    except InvalidInputError:
        return
    assert str(name) == name.text == text


def test_a_name_too_long_for_a_path_is_a_name_like_any_other() -> None:
    assert ModelName.parse("x" * 5000).kind == "registered"
    assert ModelName.parse("local-dir:" + "x" * 5000).kind == "folder"
