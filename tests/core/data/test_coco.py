"""COCO's captions: the published layout, the real files, and every problem of a partly copied COCO."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import t2i
from conftest import SHARED_DATA
from t2i.data.readers.coco import read_coco
from t2i.errors import DataError

IMAGES = [{"id": number, "file_name": f"{number:012}.jpg"} for number in (3, 1, 2)]
ANNOTATIONS = [
    {"id": 10 + place, "image_id": image, "caption": caption}
    for place, (image, caption) in enumerate([(1, "a cat"), (3, "a dog "), (1, "one cat"), (2, "a bird")])
]


def write(root: Path, images=IMAGES, annotations=ANNOTATIONS, split: str = "val2017") -> Path:
    """COCO's layout with these entries; a picture for every entry of IMAGES."""
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    (root / split).mkdir(exist_ok=True)
    for image in IMAGES:
        Image.new("RGB", (8, 8), (image["id"], 0, 0)).save(root / split / image["file_name"])
    content = {"info": {}, "licenses": [], "images": images, "annotations": annotations}
    (root / "annotations" / f"captions_{split}.json").write_text(json.dumps(content))
    return root


def found(root: Path) -> dict[str, tuple[str, ...]]:
    return {example.id: example.captions for example in read_coco(root)}


def test_each_picture_has_its_captions_and_is_its_own_group(tmp_path):
    dataset = read_coco(write(tmp_path))
    assert {example.id: example.captions for example in dataset} == {
        "000000000003.jpg": ("a dog",),
        "000000000001.jpg": ("a cat", "one cat"),
        "000000000002.jpg": ("a bird",),
    }
    assert len({example.group for example in dataset}) == 3
    assert dataset.problems == []
    assert dataset.picture(0, 8)[0].getpixel((4, 4))[0] in range(6)


def test_a_split_is_a_captions_file(tmp_path):
    write(tmp_path, split="val2017")
    write(tmp_path, images=IMAGES[:1], split="train2017")
    assert t2i.load_dataset(f"coco:{tmp_path}:val2017").name == "coco:val2017"
    assert len(t2i.load_dataset(f"coco:{tmp_path}")) == 1
    assert len(t2i.load_dataset(f"coco:{tmp_path}/annotations/captions_val2017.json")) == 3
    with pytest.raises(DataError, match=r"no captions_test.json in .* It has train2017, val2017"):
        t2i.load_dataset(f"coco:{tmp_path}:test")


@pytest.mark.parametrize(
    ("images", "annotations", "where", "reason"),
    [
        ([{"id": 9, "file_name": "gone.jpg"}], [(9, "x")], "image 9", "there is no picture gone.jpg"),
        ([{"id": 9, "file_name": "../annotations/captions_val2017.json"}], [(9, "x")], "image 9", "is outside"),
        ([{"id": 9, "file_name": "/etc/passwd"}], [(9, "x")], "image 9", "is outside the folder"),
        ([{"id": 3, "file_name": "other.jpg"}], [], "images[3]", "duplicate id 3"),
        ([{"id": 9, "file_name": IMAGES[0]["file_name"]}], [(9, "x")], "image 9", "already belongs to image 3"),
        ([{"id": 9, "file_name": IMAGES[0]["file_name"]}], [], "image 9", "already belongs to image 3"),
        ([{"id": 9}], [], "images[3]", "not an image with id and file_name"),
        ([7], [], "images[3]", "not an image with id and file_name"),
        ([{"id": [9], "file_name": "x.jpg"}], [], "images[3]", "not an image with id and file_name"),
        ([], [(77, "x")], "annotations[4]", "there is no image 77"),
        ([], [(1, 5)], "image 1", "a caption must be a text, not int"),
        ([], [(1, "x" * 100_000)], "image 1", "a caption of 100000 characters"),
        ([], [(1, "x\0")], "image 1", "control characters"),
    ],
)
def test_each_problem_is_reported_and_the_rest_is_read(tmp_path, images, annotations, where, reason):
    more = [{"id": 90 + place, "image_id": image, "caption": text} for place, (image, text) in enumerate(annotations)]
    root = write(tmp_path, [*IMAGES, *images], [*ANNOTATIONS, *more])
    dataset = read_coco(root)
    assert {example.id: example.captions for example in dataset} == found(write(tmp_path))
    (problem,) = dataset.problems
    assert where in problem.where
    assert reason in problem.reason


def test_a_duplicate_annotation_id_is_reported(tmp_path):
    dataset = read_coco(write(tmp_path, annotations=[*ANNOTATIONS, ANNOTATIONS[0]]))
    assert dataset.examples[1].captions == ("a cat", "one cat")
    assert "annotations[4]: duplicate id 10" in map(str, dataset.problems)


def test_a_picture_without_a_caption_is_left_out(tmp_path):
    dataset = read_coco(write(tmp_path, annotations=ANNOTATIONS[:3]))
    assert len(dataset) == 2
    assert "000000000002.jpg has no caption" in str(dataset.problems[0])


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"images": []}', b"\xff\xfe", b"[" * 100_000, b'"x"'])
def test_a_file_that_is_not_captions_json_is_refused_in_one_sentence(tmp_path, content):
    write(tmp_path)
    (tmp_path / "annotations" / "captions_val2017.json").write_bytes(content)
    with pytest.raises(DataError, match="must be COCO's captions JSON"):
        read_coco(tmp_path)


def test_an_empty_folder_is_an_error_with_the_layout(tmp_path):
    with pytest.raises(DataError, match=r"no captions_\*.json .* layout is annotations"):
        read_coco(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "file_name", "x"]), inner),
    max_leaves=5,
)


@given(
    st.lists(st.fixed_dictionaries({}, optional={"id": JSON, "file_name": JSON}) | JSON, max_size=4),
    st.lists(st.fixed_dictionaries({}, optional={"id": JSON, "image_id": JSON, "caption": JSON}) | JSON, max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_any_json_is_read_or_reported(tmp_path_factory, images, annotations):
    root = write(tmp_path_factory.mktemp("coco"), [*IMAGES, *images], [*ANNOTATIONS, *annotations])
    dataset = read_coco(root)
    assert found(write(root)).keys() <= {example.id for example in dataset}
    assert all(problem.reason for problem in dataset.problems)


def test_real_photos_and_their_captions():
    root = SHARED_DATA / "coco-mini"
    if not root.is_dir():
        pytest.skip(f"the real pictures are not on this machine ({root})")
    dataset = t2i.load_dataset(f"coco:{root}:val2017")
    content = json.loads((root / "annotations" / "captions_val2017.json").read_text())
    assert len(dataset) == len(content["images"])
    assert sum(len(example.captions) for example in dataset) == len(content["annotations"])
    assert dataset.picture(5, 32)[0].size == (32, 32)
    entry = next(image for image in content["images"] if image["file_name"] == dataset.examples[5].id)
    assert dataset.size(5) == (entry["width"], entry["height"])


def test_the_whole_real_captions_file(tmp_path):
    file = SHARED_DATA / "captions_val2017.json"
    if not file.is_file():
        pytest.skip(f"the real captions are not on this machine ({file})")
    content = json.loads(file.read_text())
    (tmp_path / "val2017").mkdir()
    for image in content["images"]:
        (tmp_path / "val2017" / image["file_name"]).touch()
    (tmp_path / "captions_val2017.json").symlink_to(file)
    dataset = read_coco(tmp_path)
    assert len(dataset) == 5000
    assert sum(len(example.captions) for example in dataset) == 25_014
    counts = Counter(annotation["image_id"] for annotation in content["annotations"])
    assert sorted(len(example.captions) for example in dataset) == sorted(counts.values())
    for image in content["images"][::2]:
        (tmp_path / "val2017" / image["file_name"]).unlink()
    halved = read_coco(tmp_path)
    assert (len(halved), len(halved.problems)) == (2500, 2500)
