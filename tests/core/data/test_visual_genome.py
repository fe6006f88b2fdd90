"""Visual Genome's region descriptions in their published layout, complete and damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import t2i
from t2i.data.readers import visual_genome
from t2i.data.readers.visual_genome import read_visual_genome
from t2i.errors import DataError
from t2i.testing.datasets import DatasetSuite


def region(number: int, picture: int, phrase: str, x: int, y: int, width: int = 20, height: int = 20) -> dict:
    box = {"x": x, "y": y, "width": width, "height": height}
    return {"region_id": number, "image_id": picture, "phrase": phrase} | box


ENTRIES = [
    {"id": 1, "regions": [region(11, 1, "red corner", 0, 0), region(12, 1, "blue corner ", 20, 20)]},
    {"id": 2, "regions": [region(21, 2, "a lamp", 5, 5, 10, 10)]},
]
IMAGE_DATA = [
    {"image_id": number, "width": 40, "height": 40, "url": f"https://example.org/rak248/VG_100K{part}/{number}.jpg"}
    for number, part in ((1, ""), (2, "_2"))
]


def write(root: Path, entries: object = ENTRIES) -> Path:
    for number, folder in ((1, "VG_100K"), (2, "VG_100K_2")):
        (root / folder).mkdir(parents=True, exist_ok=True)
        photo = Image.new("RGB", (40, 40), "red")
        photo.paste("blue", (20, 20, 40, 40))
        photo.save(root / folder / f"{number}.jpg", quality=100)
    (root / "image_data.json").write_text(json.dumps(IMAGE_DATA))
    content = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    (root / "region_descriptions.json").write_bytes(content)
    return root


class TestVisualGenome(DatasetSuite):
    @pytest.fixture
    def splits(self, tmp_path):
        root = write(tmp_path)
        return {name: lambda name=name: read_visual_genome(root, name) for name in ("pictures", "regions")}


def test_a_whole_picture_has_the_phrases_of_all_its_regions(tmp_path):
    dataset = t2i.load_dataset(f"visual_genome:{write(tmp_path)}")
    assert [(e.id, e.captions) for e in dataset] == [("1", ("red corner", "blue corner")), ("2", ("a lamp",))]
    assert dataset.size(0) == (40, 40)


def test_a_region_is_cropped_with_its_phrase_and_grouped_by_picture(tmp_path):
    dataset = t2i.load_dataset(f"visual_genome:{write(tmp_path)}:regions")
    assert [(e.id, e.captions, e.group) for e in dataset] == [
        ("1/11", ("red corner",), "1"),
        ("1/12", ("blue corner",), "1"),
        ("2/21", ("a lamp",), "2"),
    ]
    assert [dataset.size(index) for index in range(3)] == [(20, 20), (20, 20), (10, 10)]
    red, blue = (np.asarray(dataset.picture(index, 8)[0]).mean((0, 1)) for index in (0, 1))
    assert red[0] > 200 > 60 > red[2]
    assert blue[2] > 200 > 60 > blue[0]


@pytest.mark.parametrize(
    ("flawed", "reason"),
    [
        (region(99, 1, "", 0, 0), "no caption"),
        (region(99, 1, "x" * 100_000, 0, 0), "a caption of 100000 characters"),
        (region(99, 1, "x", 0, 0, 0, 5), "contains no pixel"),
        (region(99, 1, "x", -50, 0), "contains no pixel"),
        (region(11, 1, "x", 0, 0), "duplicate id 11"),
        ({"region_id": 99, "phrase": "x"}, "must be x, y, width and height"),
        (region(99, 1, "x", 0, 0) | {"x": "0"}, "must be x, y, width and height"),
        (region(99, 1, "x", 0, 0) | {"x": 1e300}, "must be x, y, width and height"),
        ({"phrase": "x"}, "not a region with region_id"),
        ("x", "not a region with region_id"),
    ],
)
def test_a_bad_region_is_reported_and_the_rest_is_read(tmp_path, flawed, reason):
    entries = [{**ENTRIES[0], "regions": [*ENTRIES[0]["regions"], flawed]}, ENTRIES[1]]
    dataset = read_visual_genome(write(tmp_path, entries), "regions")
    assert len(dataset) == 3
    (problem,) = dataset.problems
    assert "picture 1: regions[2]" in problem.where and reason in problem.reason


def test_a_region_outside_its_picture_is_reported_when_it_is_cropped(tmp_path):
    entries = [{"id": 1, "regions": [region(11, 1, "beyond", 500, 500)]}]
    with pytest.raises(DataError, match="is outside the picture of 40x40"):
        read_visual_genome(write(tmp_path, entries), "regions").picture(0, 8)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"id": 3, "regions": [region(31, 3, "x", 0, 0)]}, "there is no picture 3.jpg"),
        ({"id": 1, "regions": []}, "duplicate id"),
        ({"id": "4", "regions": []}, "not a picture with id and regions"),
        ({"id": 4}, "not a picture with id and regions"),
        (5, "not a picture with id and regions"),
    ],
)
def test_a_bad_picture_is_reported_and_the_rest_is_read(tmp_path, entry, reason):
    dataset = read_visual_genome(write(tmp_path, [*ENTRIES, entry]))
    assert [example.id for example in dataset] == ["1", "2"]
    assert [problem.reason for problem in dataset.problems] == [reason]


@pytest.mark.parametrize("block", [1, 7, 10_000])
def test_the_file_is_parsed_element_by_element_for_any_chunk_size(tmp_path, monkeypatch, block):
    monkeypatch.setattr(visual_genome, "BLOCK", block)
    write(tmp_path)
    (tmp_path / "region_descriptions.json").write_text(json.dumps(ENTRIES, indent=3))
    assert len(read_visual_genome(tmp_path, "regions")) == 3


@pytest.mark.parametrize("end", [-1, -40])
def test_a_truncated_file_is_read_up_to_the_damage(tmp_path, end):
    whole = json.dumps(ENTRIES).encode()
    dataset = read_visual_genome(write(tmp_path, whole[:end]))
    assert dataset.examples[0].id == "1"
    assert "truncated or damaged" in dataset.problems[-1].reason


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff\xff", b"[" * 50_000])
def test_a_file_without_a_picture_is_a_one_sentence_error(tmp_path, content):
    with pytest.raises(DataError, match="No captioned picture in visual_genome:pictures"):
        read_visual_genome(write(tmp_path, content))
    with pytest.raises(DataError, match=r"no region_descriptions.json .* layout is"):
        read_visual_genome(tmp_path / "gone")


@given(st.binary(max_size=30), st.integers(0, 200))
@settings(max_examples=60, deadline=None)
def test_any_damage_is_reported_or_read(tmp_path_factory, junk, place):
    whole = json.dumps(ENTRIES).encode()
    root = write(tmp_path_factory.mktemp("vg"), whole[:place] + junk + whole[place + len(junk) :])
    for split in ("pictures", "regions"):
        try:
            dataset = read_visual_genome(root, split)
        except DataError as error:
            assert "No captioned picture" in str(error)
        else:
            assert all(example.captions for example in dataset)


def test_regions_of_version_1_0_have_the_key_id(tmp_path):
    (tmp_path / "VG_100K").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "VG_100K" / "1.jpg")
    region = {"id": 1382, "image": 1, "phrase": "a green clock", "x": 4, "y": 5, "width": 20, "height": 20}
    (tmp_path / "region_descriptions.json").write_text(json.dumps([{"id": 1, "regions": [region]}]))
    dataset = read_visual_genome(tmp_path, "regions")
    assert [(example.id, example.captions) for example in dataset] == [("1/1382", ("a green clock",))]
