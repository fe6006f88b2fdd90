"""Layouts of users' folders: each is read correctly, or refused with a message."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image

import t2i
from t2i.data.readers import tables
from t2i.data.readers.captions import Columns
from t2i.data.readers.folder import read_folder
from t2i.errors import DataError, InvalidInputError


def png(colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, "PNG")
    return buffer.getvalue()


def make(folder: Path, files: dict[str, object]) -> Path:
    """Write these files: None is a picture, a string its text, and everything else JSON."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, bytes):
            content = png() if content is None else (content if isinstance(content, str) else json.dumps(content))
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def lines(*entries: dict) -> str:
    return "".join(json.dumps(entry) + "\n" for entry in entries)


def captions(folder: Path | str, **options) -> dict[str, tuple[str, ...]]:
    return {example.id: example.captions for example in t2i.load_dataset(str(folder), **options)}


def problems(folder: Path) -> dict[str, str]:
    return {problem.where: problem.reason for problem in t2i.load_dataset(str(folder)).problems}


@pytest.mark.parametrize(
    "beside",
    [
        {"IMG_1.caption": "a dog"},
        {"IMG_1.TXT": "a dog"},
        {"IMG_1.JPG.txt": "a dog"},
        {"img_1.txt": "a dog"},
        {"IMG_1.json": {"caption": "a dog", "width": 8}},
        {"IMG_1.json": ["a dog"]},
        {"IMG_1.jpg.json": {"Prompt": "a dog"}},
    ],
    ids=lambda beside: "".join(beside),
)
def test_caption_files_may_have_any_usual_name(tmp_path, beside):
    assert captions(
        make(tmp_path, {"sks dog/IMG_1.JPG": None} | {f"sks dog/{name}": beside[name] for name in beside})
    ) == {"sks dog/IMG_1.JPG": ("a dog",)}


def test_one_of_several_caption_files_is_read_and_reported(tmp_path):
    data = read_folder(make(tmp_path, {"a.png": None, "a.txt": "a cat", "a.json": {"caption": "a dog", "n": 1}}))
    assert data.examples[0].captions == ("a cat",)
    assert "*.txt is read, not *.json" in " ".join(data.remarks)


def test_an_annotation_next_to_a_picture_is_not_a_caption_file(tmp_path):
    shapes = {"shapes": [], "imagePath": "1.png"}
    data = read_folder(make(tmp_path, {"cat/1.png": None, "cat/1.json": shapes, "dog/2.png": None}))
    assert {example.captions for example in data} == {("cat",), ("dog",)}
    assert "1.json holds no caption" in data.problems[0].reason


def test_orphaned_caption_files_and_unsupported_pictures_are_reported(tmp_path):
    files = {"a.png": None, "a.txt": "a cat", "lost.txt": "a dog", "b.heic": "?", "b.txt": "a cow", "c.jp2": "?"}
    files |= {"README.txt": "about", "notes.md": "x", "LICENSE": "y"}
    data = read_folder(make(tmp_path, files))
    assert {problem.where: problem.reason for problem in data.problems} == {
        "b.heic": "pictures in .heic are not read; save it as PNG or JPEG",
        "c.jp2": "pictures in .jp2 are not read; save it as PNG or JPEG",
        "lost.txt": "a caption file without a picture of the same name",
    }
    assert "1 .txt, 1 LICENSE, 1 .md" in data.remarks[-1] or all(kind in data.remarks[-1] for kind in (".txt", ".md"))


def test_hidden_and_system_folders_are_ignored(tmp_path):
    names = ("apple/1.png", "pear/1.png", ".ipynb_checkpoints/2.png", "pear/@eaDir/3.png", "__MACOSX/apple/._1.png")
    data = read_folder(make(tmp_path, dict.fromkeys(names) | {"apple/._1.png": "AppleDouble", "apple/Thumbs.db": "x"}))
    assert {example.id for example in data} == {"apple/1.png", "pear/1.png"}
    assert (data.problems, len(data.remarks)) == ([], 1)


@pytest.mark.parametrize("name", ["images", "00000", "cats", "train"])
def test_the_name_of_a_single_folder_is_not_a_caption(tmp_path, name):
    with pytest.raises(DataError, match=f"2 times: .* a single folder's name, {name}, is not used as a caption"):
        read_folder(make(tmp_path, {f"{name}/1.png": None, f"{name}/2.png": None}))


def test_folder_names_are_captions_only_without_caption_files(tmp_path):
    folder = make(tmp_path, {"cat/images/1.png": None, "sea_lion/00000/2.png": None, "images/3.png": None})
    data = read_folder(folder)
    assert {example.id: example.captions for example in data} == {
        "cat/images/1.png": ("cat",),
        "sea_lion/00000/2.png": ("sea lion",),
    }
    assert "the folders' names are the captions: 'cat', 'sea lion'" in data.remarks[0]
    assert data.problems[0].reason == "its folder images has no usable name"
    make(folder, {"captions/1.txt": "a sleeping cat"})
    with pytest.raises(DataError, match="No captioned picture"):  # there are captions, but in other folders
        read_folder(folder)


def test_pictures_in_shards_or_in_one_folder_are_each_their_own_group(tmp_path):
    for number in range(4):
        make(tmp_path / "shards", {f"0000{number // 2}/{number}.png": None, f"0000{number // 2}/{number}.txt": "x"})
        make(tmp_path / "one", {f"images/{number}.png": None, f"images/{number}.txt": "x"})
        make(tmp_path / "birds", {f"bird{number // 2}/{number}.png": None, f"bird{number // 2}/{number}.txt": "x"})
    groups = {
        top: len({example.group for example in read_folder(tmp_path / top)}) for top in ("shards", "one", "birds")
    }
    assert groups == {"shards": 4, "one": 4, "birds": 2}


def test_only_training_pictures_of_several_splits_are_read(tmp_path):
    """Hugging Face's imagefolder with splits: the metadata is in each of them."""
    for split in ("train", "test", "validation"):
        entries = [{"file_name": f"images/{n}.png", "text": f"{split} {n}"} for n in range(2)]
        make(
            tmp_path, {f"{split}/images/{n}.png": None for n in range(2)} | {f"{split}/metadata.jsonl": lines(*entries)}
        )
    data = t2i.load_dataset(str(tmp_path))
    assert {example.captions for example in data} == {("train 0",), ("train 1",)}
    assert data.name.endswith(":train")
    assert "also there: test (2 pictures), validation (2 pictures)" in data.remarks[0]
    assert captions(f"folder:{tmp_path}:test").keys() == {"images/0.png", "images/1.png"}


def test_metadata_is_found_at_any_depth_and_in_any_case(tmp_path):
    files = {
        "a/Metadata.JSONL": lines({"file_name": "1.png", "text": "one"}),
        "b/c/metadata.csv": "image,caption\n2.png,two\n",
    }
    assert captions(make(tmp_path, files | {"a/1.png": None, "b/c/2.png": None})) == {
        "a/1.png": ("one",),
        "b/c/2.png": ("two",),
    }


def test_pictures_that_the_metadata_does_not_name_are_reported(tmp_path):
    files = {
        "metadata.jsonl": lines({"file_name": "1.png", "text": "one"}),
        "1.png": None,
        "2.png": None,
        "cat/3.png": None,
    }
    folder = make(tmp_path, files | {"4.png": None, "4.txt": "four"})
    assert captions(folder) == {"1.png": ("one",), "4.png": ("four",)}
    assert problems(folder) == dict.fromkeys(["2.png", "cat/3.png"], "metadata.jsonl does not name it")


@pytest.mark.parametrize("caption", ["text", "caption", "prompt", "title", "description", "Caption"])
@pytest.mark.parametrize("image", ["file_name", "image", "filename", "path"])
def test_metadata_has_columns_of_the_usual_names(tmp_path, image, caption):
    assert captions(make(tmp_path, {"a.png": None, "metadata.jsonl": lines({image: "a.png", caption: "a cat"})})) == {
        "a.png": ("a cat",)
    }


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_other_columns_are_listed_and_can_be_chosen(tmp_path, kind):
    row = {"sku": "a.png", "label_en": "a cat"}
    if kind == "parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        buffer = io.BytesIO()
        parquet.write_table(pytest.importorskip("pyarrow").table({name: [cell] for name, cell in row.items()}), buffer)
        content: object = buffer.getvalue()
    else:
        content = "sku,label_en\na.png,a cat\n" if kind == "csv" else lines(row)
    make(tmp_path, {"a.png": None, f"metadata.{kind}": content})
    with pytest.raises(DataError, match=r"columns sku, label_en, and no column of pictures .* --image-column"):
        t2i.load_dataset(str(tmp_path))
    with pytest.raises(DataError, match=r"no column 'sku2'; choose one with --image-column"):
        t2i.load_dataset(str(tmp_path), image_column="sku2")
    assert captions(tmp_path, image_column="sku", caption_column="label_en") == {"a.png": ("a cat",)}
    with pytest.raises(InvalidInputError, match="no columns to choose"):
        t2i.load_dataset("openmoji", caption_column="x")


@pytest.mark.parametrize(
    "content",
    [
        {"a.png": "a cat"},
        {"a.png": {"caption": "a cat"}},
        {"a": {"caption": "a cat"}},
        [{"file_name": "a.png", "text": ["a cat"]}],
    ],
)
def test_captions_json_may_have_any_usual_shape(tmp_path, content):
    assert captions(make(tmp_path, {"a.png": None, "captions.json": content})) == {"a.png": ("a cat",)}


def test_a_table_of_names_with_windows_separators_is_read(tmp_path):
    assert captions(make(tmp_path, {"x/a.png": None, "metadata.csv": "file_name,text\nx\\a.png,a cat\n"})) == {
        "x/a.png": ("a cat",)
    }


def test_missing_captions_and_groups_are_not_texts(tmp_path):
    rows = '{"file_name": "1.png", "text": NaN}\n{"file_name": "2.png", "text": "two", "label": NaN}\n'
    rows += '{"file_name": "3.png", "text": "three", "label": "\\ud800"}\n'
    data = read_folder(make(tmp_path, {f"{n}.png": None for n in (1, 2, 3)} | {"metadata.jsonl": rows}))
    assert {example.id: example.group for example in data} == {"2.png": "2.png", "3.png": "3.png"}
    assert [str(problem) for problem in data.problems][:2] == [
        "metadata.jsonl:1: it has no caption",
        "metadata.jsonl:3: a group is not Unicode, left out",
    ]


def test_long_names_from_an_untrusted_table_are_shortened(tmp_path):
    rows = lines({"file_name": "a.png", "text": "a cat"}, {"file_name": "x\x1b[2J" * 100_000, "text": "a dog"})
    [problem] = read_folder(make(tmp_path, {"a.png": None, "metadata.jsonl": rows})).problems
    assert len(str(problem)) < 1000 and str(problem).isprintable()


def test_a_line_that_is_too_long_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MAX_LINE_BYTES", 1000)
    long = lines({"file_name": "b.png", "text": "x" * 5000})
    rows = lines({"file_name": "a.png", "text": "a cat"}) + long + lines({"file_name": "c.png", "text": "a dog"})
    folder = make(tmp_path, {"a.png": None, "b.png": None, "c.png": None, "metadata.jsonl": rows})
    assert captions(folder) == {"a.png": ("a cat",), "c.png": ("a dog",)}
    assert problems(folder)["metadata.jsonl:2"] == "a line of more than 1000 bytes"


def test_kohya_s_folders_give_repeats(tmp_path):
    files = {"10_sks dog/1.png": None, "10_sks dog/1.txt": "a dog", "5_cat/2.png": None, "5_cat/2.txt": "a cat"}
    data = read_folder(make(tmp_path / "two", files))
    assert {example.captions[0]: example.repeats for example in data} == {"a dog": 2, "a cat": 1}
    assert "10_sks dog x2, 5_cat x1" in data.remarks[0]
    alone = read_folder(make(tmp_path / "one", {"10_sks dog/1.png": None, "10_sks dog/2.png": None}))
    assert {(example.captions, example.repeats) for example in alone} == {(("sks dog",), 1)}
    mixed = read_folder(make(tmp_path / "mixed", {"10_sks/1.png": None, "cat/2.png": None}))
    assert {example.repeats for example in mixed} == {1}


def test_a_name_that_is_not_utf8_is_escaped(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/lost\xff"))
    folder.mkdir()
    for name in (b"caf\xe9.png", b"tea.png"):
        path = tmp_path / os.fsdecode(name)
        path.write_bytes(png())
        path.with_suffix(".txt").write_text(f"drink {len(name)}")
    (folder / os.fsdecode(b"\xfe.txt")).write_text("alone")
    data = read_folder(tmp_path)
    assert {example.id for example in data} == {"caf\\xe9.png", "tea.png"}
    assert data.problems[0].where == "lost\\xff/\\xfe.txt"
    assert data.picture(0, 8)[0].size == (8, 8)


def zipped(path: Path, folder: Path, method: int) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_is_read_like_a_folder(tmp_path, method):
    files = {
        "mine/a.png": png("blue"),
        "mine/a.txt": "a cat",
        "mine/x/b.png": None,
        "mine/metadata.csv": "path,text\nx/b.png,b\n",
    }
    folder = make(tmp_path / "folder", files | {"mine/c.gif": "no picture", "mine/c.txt": "c"})
    path = zipped(tmp_path / "mine.zip", folder, method)
    data = t2i.load_dataset(str(path))
    assert {example.id: example.captions for example in data} == captions(folder)
    assert data.picture(0, 4)[0].getpixel((0, 0)) == (0, 0, 255)
    assert data.size(0) == (8, 8)
    with pytest.raises(DataError, match="not a readable picture"):
        data.picture([example.id for example in data].index("mine/c.gif"), 4)
    assert sorted(tmp_path.iterdir()) == [folder, path]  # nothing was unpacked
    before = data.fingerprint
    path.touch()
    assert t2i.load_dataset(str(path)).fingerprint != before


def test_a_damaged_zip_is_an_error_or_a_problem(tmp_path):
    path = zipped(tmp_path / "a.zip", make(tmp_path / "a", {"a.png": None, "a.txt": "a cat"}), zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.index(b"IDAT") + 6] ^= 255
    path.write_bytes(content)
    with pytest.raises(DataError, match="its size or checksum is wrong"):
        t2i.load_dataset(str(path)).picture(0, 8)
    path.write_bytes(content[:50])
    with pytest.raises(DataError, match="is not a complete zip"):
        t2i.load_dataset(str(path))


def test_a_zip_bomb_is_refused_by_its_header(tmp_path, monkeypatch):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.png", bytes(3_000_000))
        archive.writestr("a.txt", bytes(3_000_000))
        archive.writestr("b.png", png())
        archive.writestr("b.txt", "good")
    data = read_folder(path)
    assert [example.id for example in data] == ["b.png"]
    assert "3000000 bytes are more than" in data.problems[0].reason


@pytest.mark.parametrize(
    ("files", "reader"),
    [
        ({"region_descriptions.json": "[]"}, "visual_genome"),
        ({"images.txt": "", "bounding_boxes.txt": ""}, "cub"),
        ({"annotations/captions_val2017.json": "{}"}, "coco"),
        ({"train-00000.parquet": "", "README.md": ""}, "hf"),
        ({"data/train-00000.parquet": ""}, "hf"),
        ({"dataset_dict.json": "{}"}, "hf"),
        ({"00000.tar": ""}, "webdataset"),
        ({"metadata.parquet": "", "a.png": None}, "folder"),
        ({"a.png": None, "x.parquet": ""}, "folder"),
    ],
)
def test_the_files_in_a_folder_choose_its_reader(tmp_path, files, reader):
    from t2i.data.readers.path import reader_of

    assert reader_of(make(tmp_path, files)) == reader


def test_a_link_out_of_the_folder_says_how_to_copy_the_snapshot_of_a_cache(tmp_path):
    blobs = make(tmp_path / "blobs", {"0": png()})
    snapshot = make(tmp_path / "snapshots" / "abc", {"metadata.jsonl": lines({"file_name": "0.png", "text": "thing"})})
    (snapshot / "0.png").symlink_to(blobs / "0")
    with pytest.raises(DataError, match=r"0.png is a link out of the folder; make a copy without links: cp -rL"):
        t2i.load_dataset(str(snapshot))


def test_columns_are_found_in_any_case_and_order():
    assert Columns().caption_of(["Title", "TEXT"]) == "TEXT"
    with pytest.raises(DataError, match="it has the columns none, and no column of captions"):
        Columns().caption_of([])
