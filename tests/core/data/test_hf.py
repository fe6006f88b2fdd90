"""Tables read with `datasets`: local parquet, names on the Hub, and tables without captioned pictures."""

from __future__ import annotations

import importlib.util
import io
import struct

import pytest
from PIL import Image

import t2i
from t2i.data.fit import Fitting
from t2i.data.readers.hf import read_hf
from t2i.errors import DataError
from t2i.testing.datasets import DatasetSuite

datasets = pytest.importorskip("datasets")


def png(colour: str) -> dict:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 10), colour).save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": f"{colour}.png"}


COLUMNS = {
    "image": [png("red"), png("blue"), png("green")],
    "text": ["red", "blue ", "green"],
    "label": [1, 2, 1],
}


def write(path, image_column: bool = True, **changes):
    table = datasets.Dataset.from_dict({**COLUMNS, **changes})
    if image_column:
        table = table.cast_column("image", datasets.Image())
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_parquet(str(path))
    return path


class TestHF(DatasetSuite):
    @pytest.fixture
    def splits(self, tmp_path):
        for split in ("train", "test"):
            write(tmp_path / f"{split}-00000-of-00001.parquet")
        return {name: lambda name=name: read_hf(tmp_path, name) for name in ("train", "test")}


@pytest.mark.parametrize("image_column", [True, False], ids=["image", "bytes and path"])
def test_local_parquet_is_pictures_captions_and_groups(tmp_path, image_column):
    path = write(tmp_path / "a.parquet", image_column)
    dataset = t2i.load_dataset(f"hf:{path}")
    assert [(e.id, e.captions, e.group) for e in dataset] == [
        ("0", ("red",), "1"),
        ("1", ("blue",), "2"),
        ("2", ("green",), "1"),
    ]
    picture, note = dataset.picture(1, 8)
    assert (picture.getpixel((4, 4)), note) == ((0, 0, 255), "")
    assert dataset.size(0) == (12, 10)


def test_a_hub_name_is_requested_with_its_revision_and_split(tmp_path, monkeypatch):
    asked = []

    def load_dataset(name, split, revision):
        asked.append((name, split, revision))
        return datasets.Dataset.from_dict(COLUMNS).cast_column("image", datasets.Image())

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    assert t2i.load_dataset("hf:org/name@abc:validation").name == "hf:org/name@abc:validation"
    assert t2i.load_dataset("hf:org/name").examples[0].captions == ("red",)
    assert asked == [("org/name", "validation", "abc"), ("org/name", "train", None)]


def test_a_hub_name_offline_is_a_one_sentence_error():
    with pytest.raises(DataError, match="`datasets` cannot read org/nowhere"):
        read_hf("org/nowhere")


def test_captions_may_be_lists_and_bad_rows_are_reported(tmp_path):
    texts = [["red", "a red one"], ["", " "], ["x" * 100_000]]
    dataset = read_hf(write(tmp_path / "a.parquet", text=texts))
    assert [example.captions for example in dataset] == [("red", "a red one")]
    assert [str(problem) for problem in dataset.problems] == [
        "row 1: it has no caption",
        "row 2: a caption of 100000 characters (at most 2000)",
    ]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (None, "is not part of the dataset"),
        ({"bytes": b"", "path": "x.png"}, "the file is empty"),
        ({"bytes": b"no picture", "path": None}, "not a readable picture"),
        ({"bytes": None, "path": "/etc/passwd"}, "'/etc/passwd' is not part of the dataset"),
        ({"bytes": None, "path": "https://example.org/x.png"}, "is not part of the dataset"),
    ],
)
def test_a_cell_without_a_picture_is_reported_with_the_reason(tmp_path, cell, reason):
    dataset = read_hf(write(tmp_path / "a.parquet", False, image=[png("red"), cell, png("blue")]))
    with pytest.raises(DataError, match=reason):
        dataset.picture(1, 8)
    assert dataset.picture(2, 8)[0].size == (8, 8)


def test_a_table_without_the_two_columns_is_an_error_that_lists_its_columns(tmp_path):
    datasets.Dataset.from_dict({"words": ["x"], "n": [1]}).to_parquet(str(tmp_path / "a.parquet"))
    with pytest.raises(DataError, match=r"has the columns words, n, and none of them holds pictures"):
        read_hf(tmp_path / "a.parquet")


@pytest.mark.parametrize("content", [b"", b"no parquet", b"PAR1" + bytes(90) + b"PAR1"])
def test_a_file_that_is_not_parquet_is_a_one_sentence_error(tmp_path, content):
    (tmp_path / "a.parquet").write_bytes(content)
    with pytest.raises(DataError, match="`datasets` cannot read"):
        read_hf(tmp_path / "a.parquet")


def test_a_folder_without_parquet_is_a_one_sentence_error(tmp_path):
    with pytest.raises(DataError, match="there is no parquet file in it"):
        read_hf(tmp_path)


def test_without_datasets_the_error_names_the_install_command(monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "datasets" else real(name))
    with pytest.raises(DataError, match="pip install datasets"):
        read_hf("org/name")


def test_a_row_whose_text_is_not_utf8_is_reported_with_its_number(tmp_path):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    texts = [b"a cat", b"caf\xe9", b"a dog"]
    starts = arrow.py_buffer(struct.pack("<4i", 0, 5, 9, 14))
    column = arrow.Array.from_buffers(arrow.string(), 3, [None, starts, arrow.py_buffer(b"".join(texts))])
    parquet.write_table(arrow.table({"image": [png("red")] * 3, "text": column}), tmp_path / "a.parquet")
    dataset = read_hf(tmp_path / "a.parquet")
    assert [example.captions for example in dataset] == [("a cat",), ("a dog",)]
    assert [str(problem) for problem in dataset.problems] == ["row 1: a caption is not Unicode"]


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_rows_without_a_label_are_each_their_own_group(tmp_path, missing):
    dataset = read_hf(write(tmp_path / "a.parquet", label=[1.0, missing, missing]))
    assert len({example.group for example in dataset}) == 3
    assert read_hf(write(tmp_path / "b.parquet", label=[7.0, missing, 7.0])).problems == []


def test_pictures_may_be_a_column_of_plain_bytes(tmp_path):
    table = {"img": [cell["bytes"] for cell in COLUMNS["image"]], "prompt": COLUMNS["text"]}
    datasets.Dataset.from_dict(table).to_parquet(str(tmp_path / "a.parquet"))
    dataset = t2i.load_dataset(str(tmp_path / "a.parquet"))
    assert [example.captions for example in dataset] == [("red",), ("blue",), ("green",)]
    picture, note = dataset.picture(1, 8)
    assert (picture.getpixel((4, 4)), note) == ((0, 0, 255), "")


def test_a_fitted_table_is_recognised_by_what_it_was_called_before(tmp_path):
    """Packs in caches, and the runs that began with them, were identified by the dataclass' repr."""
    dataset = t2i.load_dataset(f"hf:{write(tmp_path / 'a.parquet')}")
    padded = dataset.fitted(Fitting("pad"))
    assert padded.fingerprint == f"{dataset.fingerprint} Fitting(fit='pad', position='centre')"
    assert (padded.fitting, dataset.fitting, padded.location) == (
        Fitting("pad"),
        Fitting(),
        str(tmp_path / "a.parquet"),
    )


def test_other_columns_can_be_chosen_by_name(tmp_path):
    table = {"before": [png("red")], "after": [png("blue")], "sku": ["x"], "words": ["a cat"]}
    path = tmp_path / "a.parquet"
    datasets.Dataset.from_dict(table).to_parquet(str(path))
    with pytest.raises(DataError, match=r"the columns before, after, sku, words, and no column of captions"):
        t2i.load_dataset(str(path))
    with pytest.raises(DataError, match="'sku' holds no pictures; choose one with --image-column"):
        t2i.load_dataset(str(path), caption_column="words", image_column="sku")
    dataset = t2i.load_dataset(f"hf:{path}", caption_column="words", image_column="after")
    assert dataset.picture(0, 8)[0].getpixel((4, 4)) == (0, 0, 255)


def test_folders_of_save_to_disk_are_read(tmp_path):
    table = datasets.Dataset.from_dict(COLUMNS).cast_column("image", datasets.Image())
    table.save_to_disk(tmp_path / "one")
    assert [example.captions for example in t2i.load_dataset(str(tmp_path / "one"))] == [
        ("red",),
        ("blue",),
        ("green",),
    ]
    datasets.DatasetDict({"test": table.select([0]), "train": table.select([1, 2])}).save_to_disk(tmp_path / "two")
    dataset = t2i.load_dataset(str(tmp_path / "two"))
    assert [example.captions for example in dataset] == [("blue",), ("green",)]
    assert "also there: test" in dataset.remarks[0]
    assert len(t2i.load_dataset(f"hf:{tmp_path}/two:test")) == 1
    with pytest.raises(DataError, match="it has the splits test, train, got 'val'"):
        read_hf(tmp_path / "two", "val")


def test_test_rows_are_not_read_with_the_training_rows(tmp_path):
    for split, count in (("train", 3), ("test", 1)):
        write(tmp_path / f"{split}-00000-of-00001.parquet", **{name: cells[:count] for name, cells in COLUMNS.items()})
    dataset = t2i.load_dataset(str(tmp_path))
    assert (len(dataset), dataset.name) == (3, f"hf:{tmp_path.name}:train")
    assert "also there: test (1 files)" in dataset.remarks[0]
