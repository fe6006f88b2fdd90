"""The pictures of openmoji-world show their scenes: colours, counts, places, sizes."""

from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from t2i.errors import DataError, InvalidInputError
from t2i.testing.datasets import DatasetSuite, Splits
from t2i_openmoji.dataset import OpenMoji, svg_folder
from t2i_openmoji.world import dataset, drawing, splits
from t2i_openmoji.world.colours import COLOURS, PAINTS, PALETTE, recolour
from t2i_openmoji.world.dataset import OpenMojiWorld, placements
from t2i_openmoji.world.drawing import draw
from t2i_openmoji.world.draws import Draws
from t2i_openmoji.world.layout import Placement, arrange, arrange_as_usual
from t2i_openmoji.world.sampling import skill_scene, training_scene
from t2i_openmoji.world.scene import SKILLS, Part, Scene
from t2i_openmoji.world.things import cast, things

SIDE = 96
FOLDER = svg_folder()
SHADES = [(word, shade) for palette in (PALETTE, PAINTS) for word, pair in palette.items() for shade in pair]
SWATCHES = np.array([[int(shade[i : i + 2], 16) for i in (0, 2, 4)] for _, shade in SHADES])


@pytest.fixture(scope="module")
def asked() -> OpenMojiWorld:
    return OpenMojiWorld("test")


def pixels(*placed: Placement, background: str = "", side: int = SIDE) -> np.ndarray:
    return np.asarray(draw(FOLDER, placed, background, side)).astype(int)


def alone(thing: str, colour: str = "", *, mirrored: bool = False, tilt: float = 0.0) -> Placement:
    return Placement(thing, colour, 0.5, 0.5, 0.9, mirrored, tilt)


def shares(thing: str, colour: str) -> dict[str, float]:
    """The share of a drawing in each colour word's shades, without its black outlines."""
    background = "green" if colour not in ("green", "") and things()[thing].colour != "green" else "purple"
    shown, ground = (pixels(alone(thing, colour), background=each) for each in (background, "blue"))
    opaque = shown[(shown == ground).all(-1)]
    codes, numbers = np.unique(opaque @ (1 << 16, 1 << 8, 1), return_counts=True)
    distance = np.abs((codes[:, None] >> (16, 8, 0) & 255)[:, None] - SWATCHES).sum(-1)
    nearest, exact = distance.argmin(1), distance.min(1) < 12
    words, numbers = np.array([word for word, _ in SHADES])[nearest[exact]], numbers[exact]
    return {word: float(numbers[words == word].sum() / numbers.sum()) for word in COLOURS}


class TestOpenMojiWorld(DatasetSuite):
    @pytest.fixture
    def splits(self) -> Splits:
        return {"names": partial(OpenMojiWorld, "names")}


def test_natural_colours_are_the_dominant_ones() -> None:
    wrong = []
    for thing in things().values():
        if thing.colour not in ("", "black"):
            found = shares(thing.key, "")
            found["black"] = 0.0  # outlines
            if found[thing.colour] < max(found.values()):
                wrong.append((thing.key, thing.colour, max(found, key=lambda word: found[word])))
    assert not wrong


@pytest.mark.parametrize("colour", COLOURS)
def test_a_recoloured_thing_is_mostly_of_that_colour(colour: str) -> None:
    coloured = [thing.key for thing in things().values() if thing.colour]
    wrong = []
    for key in coloured[COLOURS.index(colour) :: 6]:
        found = shares(key, colour)
        if colour != "black":
            found["black"] = 0.0
        if found[colour] < max(found.values()) - 0.02:
            wrong.append((key, max(found, key=lambda word: found[word])))
    assert not wrong


def test_recolouring_reads_every_spelling_of_a_colour() -> None:
    assert recolour('fill="#EA5A47" stroke="#d22f27" fill="#fff"', "red", "blue") == (
        'fill="#92d3f5" stroke="#61b2e4" fill="#ffffff"'
    )
    assert recolour('fill="#FFF" fill="#D0CFCE"', "white", "black") == 'fill="#3f3f3f" fill="#000000"'


def test_outlines_stay_black_in_every_colour() -> None:
    shown = pixels(alone("apple", "yellow"))
    assert (shown[(shown.sum(-1) < 90)].shape[0]) > 200


def where(placed: Placement) -> np.ndarray:
    return (pixels(placed) != 255).any(-1) | (pixels(placed, background="black") != [0x3F] * 3).any(-1)


layouts = pytest.mark.parametrize("layout", [arrange, arrange_as_usual])


@layouts
@pytest.mark.parametrize("skill", SKILLS)
def test_things_are_completely_visible_and_separate(
    skill: str, layout: Callable[[Scene, Draws], tuple[Placement, ...]]
) -> None:
    for number in range(40):
        draws = Draws(f"test {skill} {number}")
        scene = skill_scene(skill, draws, cast(), withheld=False)  # type: ignore[arg-type]
        masks = [where(placed) for placed in layout(scene, draws)]
        assert len(masks) == sum(part.count for part in scene.parts)
        for mask in masks:
            assert mask.sum() > 0.004 * SIDE**2  # even the thinnest of five things
            edge = mask[0].sum() + mask[-1].sum() + mask[:, 0].sum() + mask[:, -1].sum()
            assert edge <= 4, scene
        assert (sum(mask.astype(int) for mask in masks) > 1).sum() <= 0.002 * SIDE**2, scene


def centre(placed: Placement) -> tuple[float, float]:
    y, x = ndimage.center_of_mass(where(placed))
    return x / SIDE, y / SIDE


@layouts
@pytest.mark.parametrize("relation", ["left of", "above", "next to", "and"])
def test_things_are_at_the_places_of_their_relation(
    relation: str, layout: Callable[[Scene, Draws], tuple[Placement, ...]]
) -> None:
    offsets = []
    for number in range(60):
        scene = Scene((Part("cat"), Part("airplane", colour="blue")), relation)  # type: ignore[arg-type]
        first, second = layout(scene, Draws(f"test places {number}"))
        assert (first.thing, second.thing, second.colour) == ("cat", "airplane", "blue")
        (x, y), (other_x, other_y) = centre(first), centre(second)
        offsets.append((other_x - x, other_y - y))
    right, below = np.array(offsets).T
    if relation == "left of":
        assert (right > 0.3).all()
        assert (np.abs(below) < 0.25).all()
    elif relation == "above":
        assert (below > 0.3).all()
        assert (np.abs(right) < 0.25).all()
    else:
        assert 15 < (right > 0.3).sum() + (below > 0.3).sum() < 45  # either order
        assert ((np.abs(below) > 0.3).any()) == (relation == "and")


@pytest.mark.parametrize("split", ["everyday", "everyday-test", "everyday-varied"])
def test_everyday_things_stand_upright_and_at_usual_places(split: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "SIZES", {"everyday": 500})
    shown = [entry for entry in splits.entries.__wrapped__(split)[:500] if placements(entry)]
    assert len(shown) >= 450
    places = [placed for entry in shown for placed in placements(entry)]
    assert not any(placed.mirrored or placed.tilt for placed in places)
    single = [placements(entry)[0] for entry in shown if len(placements(entry)) == 1]
    assert all(abs(placed.x - 0.5) <= 0.03 and abs(placed.y - 0.5) <= 0.03 for placed in single)
    assert len({(placed.x, placed.y) for placed in single}) == len(single)  # a seed still moves them


def test_sizes_are_distinguishable() -> None:
    def extent(size: str, number: int) -> float:
        [placed] = arrange(Scene((Part("ant", size=size),)), Draws(f"test sizes {number}"))
        mask = where(placed)
        return max(np.ptp(np.flatnonzero(mask.any(axis))) for axis in (0, 1)) / SIDE

    small, plain, big = ([extent(size, number) for number in range(30)] for size in ("small", "", "big"))
    assert max(small) < min(plain)
    assert max(plain) < min(big)


def test_backgrounds() -> None:
    for colour in COLOURS:
        corner = pixels(alone("ant"), background=colour)[0, 0]
        assert corner.tolist() == [int(PALETTE[colour][0][i : i + 2], 16) for i in (0, 2, 4)]


def test_things_are_mirrored_except_dials() -> None:
    plain, mirrored = (pixels(alone("dog", mirrored=each)) for each in (False, True))
    assert np.abs(plain[:, ::-1] - mirrored).mean() < 2
    assert np.abs(plain - mirrored).mean() > 2 * np.abs(plain[:, ::-1] - mirrored).mean()
    for thing in ("clock", "question mark", "stop sign", "coin"):
        scene = Scene((Part(thing, 5),))
        assert not any(p.mirrored for n in range(20) for p in arrange(scene, Draws(f"test mirror {n}")))
    assert any(p.mirrored for n in range(20) for p in arrange(Scene((Part("dog"),)), Draws(f"test mirror {n}")))


def test_names_and_some_training_pictures_are_unchanged_openmoji() -> None:
    names, openmoji = OpenMojiWorld("names"), OpenMoji("all")
    number = {example.id: index for index, example in enumerate(openmoji.examples)}
    assert len(names) == len(things())
    for index in range(0, len(names), 25):
        code = names.entries[index].code
        assert names.picture(index, 48)[0].tobytes() == openmoji.picture(number[code], 48)[0].tobytes()
    assert names.examples[0].captions == ("a dog", "a puppy")


def test_captions_of_test_are_unique_and_ask_for_withheld_combinations(asked: OpenMojiWorld) -> None:
    captions = [example.captions for example in asked.examples]
    assert len({caption for [caption] in captions}) == len(asked) == 2_400
    novelty = {"object": set(), "colour": {"colour"}, "count": {"count"}, "phrasing": set()}
    for entry in asked.entries:
        assert entry.scene is not None
        assert entry.scene.withheld == novelty.get(entry.skill, {"pair"})
        assert entry.skill == "phrasing" or not entry.unseen
    reworded = [entry for entry in asked.entries if entry.skill == "phrasing"]
    pairs = list(zip(reworded[::2], reworded[1::2], strict=True))
    assert all(seen.scene == unseen.scene and (seen.unseen, unseen.unseen) == (False, True) for seen, unseen in pairs)


@pytest.mark.parametrize("split", ["varied", "everyday-varied"])
def test_varied_has_different_pictures_of_each_caption(split: str) -> None:
    world = OpenMojiWorld(split)
    captions = [example.captions[0] for example in world.examples]
    counts = Counter(captions)
    assert (len(counts), set(counts.values())) == (150, {4})
    assert Counter(entry.scene.skill for entry in world.entries if entry.scene) == dict.fromkeys(SKILLS, 100)
    assert all(entry.scene and not entry.scene.withheld for entry in world.entries)
    of_one = [number for number, caption in enumerate(captions) if caption == captions[0]]
    assert len({world.picture(number, 64)[0].tobytes() for number in of_one}) == 4


def test_groups_describe_the_picture() -> None:
    assert Scene((Part("apple"),)).group == Scene((Part("apple", 1, "red"),)).group == "1 red apple"
    both = Scene((Part("cat"), Part("dog", 1, "blue")), "and")
    assert both.group == Scene(both.parts[::-1], "and").group == "1 blue dog and 1 orange cat"
    assert Scene(both.parts, "left of").group != Scene(both.parts[::-1], "left of").group


def test_pictures_and_words_are_the_same_in_another_process_and_in_threads(asked: OpenMojiWorld) -> None:
    script = (
        "import pickle, sys; from t2i_openmoji.world.dataset import OpenMojiWorld; d = OpenMojiWorld('test')\n"
        "pickle.dump((d.fingerprint, [d.picture(i, 40)[0].tobytes() for i in range(0, 2400, 240)]), sys.stdout.buffer)"
    )
    made = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    with ThreadPoolExecutor(4) as pool:
        here = list(pool.map(lambda index: asked.picture(index, 40)[0].tobytes(), range(0, 2400, 240)))
    assert pickle.loads(made.stdout) == (asked.fingerprint, here)


def test_the_fingerprint_changes_with_the_palette(asked: OpenMojiWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    before = asked.fingerprint
    for cached in (drawing._coloured, drawing._drawing, dataset._everything_drawn):
        cached.cache_clear()
    assert OpenMojiWorld("test").fingerprint == before
    for cached in (drawing._coloured, dataset._everything_drawn):
        cached.cache_clear()
    monkeypatch.setitem(PAINTS, "blue", ("0000ff", "0000aa"))
    assert OpenMojiWorld("test").fingerprint != before
    for cached in (drawing._coloured, dataset._everything_drawn):
        cached.cache_clear()


def test_choices_do_not_change_from_machine_to_machine() -> None:
    """Golden values: if they change, the dataset changes."""
    draws = Draws("golden")
    chosen = [repr(arrange(training_scene(draws, cast()), draws)) for _ in range(200)]
    assert hashlib.sha256("\n".join(chosen).encode()).hexdigest()[:16] == "23009bbd45af9cf4"


@pytest.mark.parametrize("resolution", [32, 64, 200])
def test_any_resolution(asked: OpenMojiWorld, resolution: int) -> None:
    picture, note = asked.picture(3, resolution)
    assert (picture.mode, picture.size, note) == ("RGB", (resolution, resolution), "")
    small = np.asarray(asked.picture(3, 200)[0].resize((50, 50))).astype(int)
    assert np.abs(small - np.asarray(picture.resize((50, 50)))).mean() < 12


def test_an_unknown_split() -> None:
    with pytest.raises(InvalidInputError, match=r"several, everyday, .*, test, everyday-test, names, synonyms"):
        OpenMojiWorld("compose")


def test_a_missing_drawing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="pip install"):
        draw(tmp_path, [alone("dog")], "", 32)


def test_positions_of_the_placements_are_part_of_the_fingerprint(asked: OpenMojiWorld) -> None:
    assert all(len(placements(entry)) == sum(part.count for part in entry.scene.parts) for entry in asked.entries[:60])
