"""CUB-200-2011 in its published layout, complete and partly unpacked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import t2i
from t2i.data.readers.cub import read_cub
from t2i.errors import DataError, UnknownNameError
from t2i.testing.datasets import DatasetSuite

CLASSES = ("001.Black_footed_Albatross", "002.Laysan_Albatross", "003.Sooty_Albatross", "004.Groove_billed_Ani")
BIRD = (20.0, 10.0, 12.0, 8.0)  # x, y, w, h


def write(parent: Path, captions: str = "CUB_200_2011/text_c10") -> Path:
    """Two pictures of each of four classes; those with odd numbers are in the split `train` of train_test_split.txt."""
    root = parent / "CUB_200_2011"
    names = [f"{name}/{name[4:]}_{place:04}_{place}.jpg" for name in CLASSES for place in (1, 2)]
    for place, name in enumerate(names):
        picture = root / "images" / name
        picture.parent.mkdir(parents=True, exist_ok=True)
        photo = Image.new("RGB", (60, 40), "white")
        photo.paste((place * 20, 0, 200), (20, 10, 32, 18))
        photo.save(picture, quality=100)
        text = parent / captions / Path(name).with_suffix(".txt")
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text("".join(f"bird {place} in wording {way}\n" for way in range(10)))
    numbered = dict(enumerate(names, start=1))
    tables = {
        "images.txt": numbered,
        "classes.txt": dict(enumerate(CLASSES, start=1)),
        "image_class_labels.txt": {number: (number + 1) // 2 for number in numbered},
        "train_test_split.txt": {number: number % 2 for number in numbered},
        "bounding_boxes.txt": {number: " ".join(map(str, BIRD)) for number in numbered},
    }
    for file, rows in tables.items():
        (root / file).write_text("".join(f"{number} {value}\n" for number, value in rows.items()))
    folder = (parent / captions).parent
    (folder / "trainvalclasses.txt").write_text("\n".join(CLASSES[:3]) + "\n")
    (folder / "testclasses.txt").write_text(CLASSES[3] + "\n")
    return root


class TestCUB(DatasetSuite):
    @pytest.fixture
    def splits(self, tmp_path):
        root = write(tmp_path)
        return {name: lambda name=name: read_cub(root, name) for name in ("train", "test", "seen", "all")}


@pytest.mark.parametrize("captions", ["CUB_200_2011/text_c10", "CUB_200_2011/text", "text_c10", "text"])
def test_captions_are_in_the_folder_or_next_to_it(tmp_path, captions):
    dataset = read_cub(write(tmp_path, captions))
    assert dataset.problems == []
    for example in dataset:
        assert len(example.captions) == 10
        assert example.group == str(Path(example.id).parent)


def test_the_official_and_the_zero_shot_split_partition_all(tmp_path):
    root = write(tmp_path)
    ids = {split: {example.id for example in read_cub(root, split)} for split in ("train", "test", "seen", "unseen")}
    everything = {example.id for example in read_cub(root, "all")}
    assert len(everything) == 8
    for one, other in (("train", "test"), ("seen", "unseen")):
        assert ids[one] | ids[other] == everything
        assert not ids[one] & ids[other]
    assert {name.partition("/")[0] for name in ids["unseen"]} == {CLASSES[3]}
    assert all("_0001_" in name for name in ids["train"])
    assert {example.id for example in t2i.load_dataset(f"cub:{root}")} == ids["train"]


def test_the_bird_is_cropped_as_in_stackgan_s_preprocessing(tmp_path):
    """misc/preprocess_birds: R = int(max(w, h) * 0.75); the square around the box's centre, clipped."""
    root = write(tmp_path)
    dataset = read_cub(root, "all")
    x, y, w, h = BIRD
    half, centre = int(max(w, h) * 0.75), (int((2 * x + w) / 2), int((2 * y + h) / 2))
    box = [max(0, centre[0] - half), max(0, centre[1] - half), min(60, centre[0] + half), min(40, centre[1] + half)]
    assert dataset.size(0) == (box[2] - box[0], box[3] - box[1]) == (18, 18)
    with Image.open(root / "images" / dataset.examples[0].id) as photo:
        wanted = np.asarray(photo.crop(box))
    assert np.array_equal(np.asarray(dataset.picture(0, 18)[0]), wanted)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda root, name: (root / "images" / name).unlink(), "there is no picture"),
        (lambda root, name: (root / "text_c10" / name).with_suffix(".txt").unlink(), "there is no caption file"),
        (lambda root, name: (root / "text_c10" / name).with_suffix(".txt").write_text("\n"), "no caption"),
        (lambda root, name: (root / "text_c10" / name).with_suffix(".txt").write_bytes(b"\xff\xfe"), "not UTF-8"),
        (lambda root, name: edit(root / "bounding_boxes.txt", "1 20.0 10.0 12.0 8.0", "1 20.0 x"), "bounding box"),
        (lambda root, name: edit(root / "bounding_boxes.txt", "1 20.0 10.0 12.0 8.0", ""), "bounding box"),
        (lambda root, name: edit(root / "bounding_boxes.txt", "1 20.0 10.0", "1 nan inf"), "bounding box"),
        (lambda root, name: edit(root / "images.txt", f"1 {name}", "1 ../../x.jpg"), "is outside"),
    ],
)
def test_missing_files_are_reported_and_the_rest_is_read(tmp_path, spoil, reason):
    root = write(tmp_path)
    spoil(root, read_cub(root, "all").examples[0].id)
    dataset = read_cub(root, "all")
    assert len(dataset) == 7
    (problem,) = dataset.problems
    assert reason in problem.reason and "1 " in problem.where


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_duplicate_id_is_reported(tmp_path):
    root = write(tmp_path)
    with (root / "images.txt").open("a") as file:
        file.write("1 elsewhere.jpg\nalone\n")
    dataset = read_cub(root, "all")
    assert len(dataset) == 8
    assert [str(problem) for problem in dataset.problems] == [
        "images.txt:9: duplicate id 1",
        "images.txt:10: not an id and a value",
    ]


@pytest.mark.parametrize("file", ["images.txt", "classes.txt", "bounding_boxes.txt", "train_test_split.txt"])
def test_a_missing_table_is_an_error_with_the_layout(tmp_path, file):
    root = write(tmp_path)
    (root / file).unlink()
    with pytest.raises(DataError, match=rf"{file} in .* cannot be read .* layout is images.txt"):
        read_cub(root)


def test_missing_captions_and_class_lists_are_one_sentence_errors(tmp_path):
    root = write(tmp_path)
    (root / "testclasses.txt").unlink()
    with pytest.raises(DataError, match=r"needs the file testclasses.txt, which is shipped with the captions"):
        read_cub(root, "unseen")
    (root / "text_c10").rename(root / "texts")
    with pytest.raises(DataError, match="captions are neither in"):
        read_cub(root)
    with pytest.raises(UnknownNameError, match="seen, unseen, all"):
        t2i.load_dataset(f"cub:{root}:val")


def test_replacement_characters_of_the_published_captions_are_spaces_and_noted(tmp_path):
    """reedscot/cvpr2016 issue 9: U+FFFD replaced spaces."""
    root = write(tmp_path)
    name = read_cub(root, "all").examples[0].id
    text = "this\ufffd\ufffdbird\ufffdhas a\u2028white belly\n"
    (root / "text_c10" / name).with_suffix(".txt").write_text(text, encoding="utf-8")
    dataset = read_cub(root, "all")
    assert dataset.examples[0].captions == ("this bird has a white belly",)
    assert [(problem.reason, problem.skipped) for problem in dataset.problems] == [
        ("U+FFFD in a caption, read as a space", False)
    ]


def test_lists_of_classes_may_be_numbered(tmp_path):
    root = write(tmp_path)
    unseen = {example.id for example in read_cub(root, "unseen")}
    (root / "testclasses.txt").write_text(f"1 {CLASSES[3]}\n")
    assert {example.id for example in read_cub(root, "unseen")} == unseen != set()
