"""Captions are parsed into the scenes they were generated from, and typed sentences into the expected scenes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from t2i_openmoji.world.draws import Draws
from t2i_openmoji.world.grammar import put_into_words
from t2i_openmoji.world.phrasings import OF_PROMPTS, USUAL, Wording
from t2i_openmoji.world.reading import read
from t2i_openmoji.world.sampling import any_scene
from t2i_openmoji.world.scene import Part, Scene
from t2i_openmoji.world.sheet import world_sheet
from t2i_openmoji.world.splits import entries
from t2i_openmoji.world.things import cast


def unordered(scene: Scene | None) -> object:
    """The scene without an order of its parts, if the relation has none."""
    if scene is None or scene.relation not in ("and", "next to"):
        return scene
    return {*scene.parts}, scene.relation, scene.background


def test_captions_of_test_and_names_are_parsed_into_their_scenes() -> None:
    for split in ("test", "names", "synonyms"):
        for entry in entries(split):
            for caption in entry.example.captions:
                assert unordered(read(caption)) == unordered(entry.scene), caption


@pytest.mark.parametrize(("unseen", "wording"), [(False, USUAL), (True, USUAL), (False, OF_PROMPTS)])
def test_captions_with_sizes_and_backgrounds_are_parsed_into_their_scenes(unseen: bool, wording: Wording) -> None:
    for number in range(700):
        draws = Draws(f"test reading {number}")
        scene = any_scene(draws, cast())
        caption = put_into_words(scene, draws, unseen=unseen, wording=wording).text
        assert unordered(read(caption)) == unordered(scene), caption
        assert unordered(read(f"{caption.upper()}!")) == unordered(scene), caption


@pytest.mark.parametrize(
    ("text", "scene"),
    [
        ("Draw me a pink elephant!", Scene((Part("elephant", 1, "pink"),))),
        ("five gray mice", Scene((Part("mouse", 5, "grey"),))),
        (
            "can I have a green pizza with a yellow hat, please",
            Scene((Part("slice of pizza", 1, "green"), Part("top hat", 1, "yellow")), "and"),
        ),
        ("I'd love to see the dog left of a big car", Scene((Part("dog"), Part("car", 1, "", "big")), "left of")),
        ("red scissors under a teddy bear", Scene((Part("teddy bear"), Part("pair of scissors", 1, "red")), "above")),
        ("a cat on a blue background", Scene((Part("cat"),), "", "blue")),
        ("dogs", None),
        ("a cat, a dog and a mouse", None),
        ("a cat next to a cat", None),
        ("six cats", None),
        ("democracy", None),
        ("", None),
    ],
)  # fmt: skip
def test_typed_sentences(text: str, scene: Scene | None) -> None:
    assert read(text) == scene


def test_skills() -> None:
    cat, red, dog = Part("cat"), Part("cat", 1, "red"), Part("dog")
    skills = {scene.skill for scene in (Scene((cat,)), Scene((cat,), "", "blue"))}
    assert skills == {"object"}
    assert Scene((red,)).skill == "colour"
    assert Scene((Part("cat", 3, "red"),)).skill == "count"
    assert Scene((cat, dog), "and").skill == Scene((cat, dog), "next to").skill == "two objects"
    assert Scene((red, dog), "and").skill == "attribution"
    assert Scene((red, dog), "left of").skill == Scene((cat, dog), "above").skill == "position"
    assert all(entry.skill in ("phrasing", entry.scene.skill) for entry in entries("test") if entry.scene)


def test_the_contact_sheet(tmp_path: Path) -> None:
    world_sheet(tmp_path / "sheet.webp", "test", columns=3, rows=2)
    with Image.open(tmp_path / "sheet.webp") as sheet:
        assert sheet.format == "WEBP"
        assert sheet.width == 10 + 3 * 130
        assert sheet.height > 2 * 140
