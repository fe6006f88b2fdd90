"""How data is named: a registered name, a reader with a reference, or a path."""

from __future__ import annotations

import pytest
from PIL import Image

import t2i
from t2i.data.pack.pack import write_pack
from t2i.errors import DataError, InvalidInputError, UnknownNameError
from t2i.registry.discovery import registry
from t2i.registry.specs import DatasetSpec, load_target


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Two folders of pictures, coco and mine, and a pack of mine."""
    monkeypatch.chdir(tmp_path)
    for folder in ("coco", "mine"):
        (tmp_path / folder).mkdir()
        for colour in ("red", "blue"):
            Image.new("RGB", (8, 8), colour).save(tmp_path / folder / f"{colour}.png")
            (tmp_path / folder / f"{colour}.txt").write_text(f"a {colour} square of {folder}")
    write_pack(t2i.load_dataset("mine"), tmp_path / "packed", 4)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "is_named"),
    [
        ("mine", "folder:mine"),
        ("./mine", "folder:mine"),
        ("folder:mine", "folder:mine"),
        ("packed", "folder:mine"),
        ("pack:packed", "folder:mine"),
        ("coco", "folder:coco"),
        ("openmoji:compose", "openmoji:compose"),
    ],
)
def test_each_spelling_finds_its_data(here, name, is_named):
    assert t2i.load_dataset(name).name == is_named


@pytest.mark.parametrize(
    ("name", "split", "error", "message"),
    [
        ("cub", None, InvalidInputError, "needs something to read: 'cub:what-to-read'"),
        ("coco:", None, InvalidInputError, "needs something to read: 'coco:what-to-read'"),
        ("coco:mine", None, DataError, r"no captions_\*.json"),
        ("cub:mine:val", None, UnknownNameError, "has the splits train, test, seen, unseen, all, got 'val'"),
        ("cub:mine", "val", UnknownNameError, "has the splits train, test, seen, unseen, all, got 'val'"),
        ("pack:mine", None, DataError, "a folder with a pack.json, but mine has none"),
        ("packed", "train", DataError, "A pack has only one split"),
        ("mine", "train", DataError, "mine/train is not a folder"),
        ("./gone", None, UnknownNameError, "There is no file or folder ./gone"),
        ("gone", None, UnknownNameError, "There is no dataset 'gone'.*Nor is there a file or folder of this name"),
        ("coc:mine", None, UnknownNameError, "Did you mean 'coco'"),
        ("mine/red.png", None, DataError, "name its reader: coco:mine/red.png"),
    ],
)
def test_unknown_data_is_an_error_that_says_how_to_name_it(here, name, split, error, message):
    with pytest.raises(error, match=message):
        t2i.load_dataset(name, split)


def test_every_reader_s_target_exists():
    readers = {spec.name: spec for spec, _ in registry().all(DatasetSpec) if spec.takes_reference}
    assert readers.keys() >= {"folder", "pack", "coco", "visual_genome", "cub", "hf", "webdataset"}
    for spec in readers.values():
        assert callable(load_target(spec.target))


def test_a_dataset_without_picture_files_refuses_a_background():
    with pytest.raises(InvalidInputError, match="Leave --background out"):
        t2i.load_dataset("openmoji").on_background("black")
