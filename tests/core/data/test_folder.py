"""A user's folder: its pictures and captions, and each problem with file and reason."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import t2i
from t2i.data.dataset import Problem
from t2i.data.readers.captions import MAX_CAPTION_FILE_BYTES
from t2i.data.readers.folder import read_folder
from t2i.errors import DataError, InvalidInputError


def put(folder: Path, name: str, caption: str | bytes | None = None, colour: str = "red") -> None:
    """Write a picture, and the caption file next to it."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path)
    if caption is not None:
        path.with_suffix(".txt").write_bytes(caption if isinstance(caption, bytes) else caption.encode())


def metadata(folder: Path, *lines: object) -> None:
    content = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    (folder / "metadata.jsonl").write_bytes(b"\n".join(content) + b"\n")


def found(folder: Path) -> dict[str, tuple[str, ...]]:
    return {example.id: example.captions for example in read_folder(folder)}


def problems(folder: Path) -> dict[str, str]:
    return {problem.where: problem.reason for problem in read_folder(folder).problems}


def test_captions_are_the_lines_of_the_file_next_to_the_picture(tmp_path):
    put(tmp_path, "b.png", "a red square\n\n  a square  \r\n")
    put(tmp_path, "a.JPG", "a heart")
    put(tmp_path, "birds/wren.png", "a wren")
    assert found(tmp_path) == {
        "a.JPG": ("a heart",),
        "b.png": ("a red square", "a square"),
        "birds/wren.png": ("a wren",),
    }
    assert problems(tmp_path) == {}


def test_a_byte_order_mark_is_not_part_of_a_caption(tmp_path):
    put(tmp_path, "a.png", "\ufeffa heart")
    assert found(tmp_path) == {"a.png": ("a heart",)}


def test_pictures_of_one_sub_folder_are_one_group_and_others_have_their_own(tmp_path):
    for name in ("x.png", "y.png", "birds/a.png", "birds/b.png", "birds/rare/c.png"):
        put(tmp_path, name, "a picture")
    groups = {example.id: example.group for example in read_folder(tmp_path)}
    assert len(set(groups.values())) == 4
    assert groups["birds/a.png"] == groups["birds/b.png"] != groups["birds/rare/c.png"]


@pytest.mark.parametrize(
    ("caption", "reason"),
    [
        (None, "it has no caption file x.txt"),
        (b"", "x.txt has no caption"),
        (b" \n\t\n", "x.txt has no caption"),
        (b"caf\xe9", "x.txt is not UTF-8 at byte 3"),
        (b"\x00\xd8" * 9, "x.txt is not UTF-8 at byte 1"),
        (b"x" * (MAX_CAPTION_FILE_BYTES + 1), f"x.txt is larger than {MAX_CAPTION_FILE_BYTES} bytes"),
    ],
    ids=["absent", "empty", "blank", "latin-1", "utf-16", "large"],
)
def test_a_picture_without_a_usable_caption_is_left_out_with_the_reason(tmp_path, caption, reason):
    put(tmp_path, "good.png", "a heart")
    put(tmp_path, "x.png", caption)
    assert found(tmp_path) == {"good.png": ("a heart",)}
    assert problems(tmp_path) == {"x.png": reason}


def test_files_that_are_not_pictures_are_ignored(tmp_path):
    put(tmp_path, "a.png", "a heart")
    (tmp_path / "notes.md").write_text("x")
    (tmp_path / "odd.png").mkdir()
    assert found(tmp_path) == {"a.png": ("a heart",)}
    assert problems(tmp_path) == {}


def test_metadata_gives_captions_as_in_the_imagefolder_layout(tmp_path):
    put(tmp_path, "images/a.png")
    put(tmp_path, "b.png", "not read, because metadata.jsonl exists")
    metadata(
        tmp_path,
        {"file_name": "images/a.png", "text": " a heart ", "colour": "red"},
        b"",
        {"file_name": "b.png", "text": ["a square", "", "  ", "a red one"]},
        {"file_name": "images/a.png", "text": "love"},
    )
    assert found(tmp_path) == {"b.png": ("a square", "a red one"), "images/a.png": ("a heart", "love")}
    assert problems(tmp_path) == {}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 9999, "not JSON"),
        (b"[1, 2]", "not an object with file_name and text"),
        (b"3", "not an object with file_name and text"),
        ({"file_name": "a.png"}, "the columns file_name, and no column of captions"),
        ({"text": "a heart"}, "the columns text, and no column of pictures"),
        ({"file_name": 3, "text": "a heart"}, "file_name is not a text"),
        ({"file_name": "a.png", "text": ""}, "it has no caption"),
        ({"file_name": "a.png", "text": []}, "it has no caption"),
        ({"file_name": "a.png", "text": None}, "it has no caption"),
        ({"file_name": "a.png", "text": {"en": "a heart"}}, "text is neither a text nor a list of texts"),
        ({"file_name": "a.png", "text": [["a heart"]]}, "text is neither a text nor a list of texts"),
        ({"file_name": "a.png", "text": 3}, "text is neither a text nor a list of texts"),
        (b'{"file_name": "a.png", "text": "\\ud800"}', "a caption is not Unicode"),
        ({"file_name": "gone.png", "text": "a heart"}, "there is no picture gone.png"),
        ({"file_name": "../outside.png", "text": "a heart"}, "../outside.png is outside the folder"),
        ({"file_name": "a/../../outside.png", "text": "a heart"}, "is outside the folder"),
        ({"file_name": "/etc/passwd", "text": "a heart"}, "/etc/passwd is outside the folder"),
        ({"file_name": "link.png", "text": "a heart"}, "link.png is a link out of the folder; make a copy"),
        ({"file_name": "a\0.png", "text": "a heart"}, "there is no picture"),
        ({"file_name": "x" * 300, "text": "a heart"}, "there is no picture"),
        ({"file_name": "", "text": "a heart"}, "there is no picture"),
    ],
    ids=lambda value: None if isinstance(value, str) else repr(value)[:50],
)
def test_a_bad_line_of_metadata_is_reported_with_line_and_reason(tmp_path, line, reason):
    put(tmp_path, "outside.png")
    folder = tmp_path / "data"
    put(folder, "a.png")
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    metadata(folder, {"file_name": "a.png", "text": "good"}, line)
    assert found(folder) == {"a.png": ("good",)}
    assert list(problems(folder)) == ["metadata.jsonl:2", "link.png"]
    assert reason in problems(folder)["metadata.jsonl:2"]


def test_two_spellings_of_one_file_are_one_picture(tmp_path):
    put(tmp_path, "a.png")
    metadata(tmp_path, {"file_name": "a.png", "text": "a heart"}, {"file_name": "./a.png", "text": "love"})
    assert found(tmp_path) == {"a.png": ("a heart", "love")}


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["file_name", "text"]), st.text() | st.integers() | st.none()) | st.binary()
    )
)
@settings(max_examples=40, deadline=None)
def test_any_metadata_is_read_or_reported(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("any")
    put(folder, "a.png")
    metadata(folder, {"file_name": "a.png", "text": "good"}, *lines)
    dataset = read_folder(folder)
    assert dataset.examples[0].captions[0] == "good"
    assert all(problem.skipped and problem.reason for problem in dataset.problems)


def test_a_missing_folder_or_a_file_is_an_error(tmp_path):
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "gone", tmp_path / "file"):
        with pytest.raises(DataError, match=f"{path} is neither"):
            read_folder(path)


def test_an_empty_folder_is_an_error_with_the_layouts(tmp_path):
    with pytest.raises(DataError, match=r"No captioned picture in .*Put picture.txt.* or a metadata.jsonl"):
        read_folder(tmp_path)


def test_pictures_without_captions_are_counted_and_the_first_named(tmp_path):
    put(tmp_path, "a.png")
    put(tmp_path, "b.png")
    with pytest.raises(
        DataError, match=r"2 could not be used: 2 times: it has no caption file \*.txt \(a.png, b.png\)"
    ):
        read_folder(tmp_path)


def test_the_order_does_not_depend_on_the_file_system(tmp_path, monkeypatch):
    names = [f"{number}.png" for number in range(12)]
    for name in names:
        put(tmp_path, name, name)
    first = read_folder(tmp_path)
    real = os.walk

    def backwards(*arguments, **options):
        for parent, folders, files in real(*arguments, **options):
            yield parent, folders[::-1], sorted(files, reverse=True)

    monkeypatch.setattr(os, "walk", backwards)
    again = read_folder(tmp_path)
    assert [example.id for example in again] == [example.id for example in first] == sorted(names)
    assert again.fingerprint == first.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: put(folder, "b.png", "a square"),
        lambda folder: (folder / "a.txt").write_text("a house"),
        lambda folder: put(folder, "a.png", colour="blue"),
        lambda folder: os.utime(folder / "a.png", ns=(0, 0)),
    ],
    ids=["one more", "another caption", "another picture", "another time"],
)
def test_the_fingerprint_changes_with_the_contents(tmp_path, change):
    put(tmp_path, "a.png", "a heart")
    before = read_folder(tmp_path).fingerprint
    assert read_folder(tmp_path).fingerprint == before
    change(tmp_path)
    assert read_folder(tmp_path).fingerprint != before


def test_equal_names_captions_and_sizes_do_not_give_equal_fingerprints(tmp_path):
    """The pictures differ, and so do their modification times."""
    for number, colour in enumerate(["red", "blue"]):
        put(tmp_path / str(number) / "data", "a.png", "a heart", colour=colour)
        os.utime(tmp_path / str(number) / "data" / "a.png", ns=(number, number))
    one, other = (read_folder(tmp_path / str(number) / "data") for number in range(2))
    assert one.name == other.name
    assert one.fingerprint != other.fingerprint


def test_a_problem_reads_as_where_and_why():
    assert str(Problem("a.png", "the file is empty")) == "a.png: the file is empty"


def test_the_real_imagefolder_is_read_completely(fashion):
    dataset = t2i.load_dataset(str(fashion))
    lines = [json.loads(line) for line in (fashion / "metadata.jsonl").read_text().splitlines()]
    usable = {line["file_name"]: line["text"].strip() for line in lines if (fashion / line["file_name"]).is_file()}
    assert {example.id: example.captions for example in dataset} == {name: (text,) for name, text in usable.items()}
    assert len(dataset.problems) == len(lines) - len(usable)
    assert dataset.picture(0, 16)[0].size == (16, 16)


def test_metadata_may_be_csv(tmp_path):
    put(tmp_path, "a.png")
    put(tmp_path, "b.png")
    rows = '\ufefffile_name,text,group\na.png,"a heart, red",love\nb.png,"two\nlines",\n\ngone.png,x,\n'
    (tmp_path / "metadata.csv").write_text(rows, encoding="utf-8")
    dataset = read_folder(tmp_path)
    assert {e.id: (e.captions, e.group) for e in dataset} == {
        "a.png": (("a heart, red",), "love"),
        "b.png": (("two\nlines",), "b.png"),
    }
    assert [str(problem) for problem in dataset.problems] == ["metadata.csv:6: there is no picture gone.png"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"a.png", "the columns file_name, and no column of captions"),
        (b"a.png,", "it has no caption"),
        (b"a.png,caf\xe9", "a caption is not Unicode"),
        (b"../x.png,y", "is outside the folder"),
        (b"a.png," + b"x" * 200_000, "not a line of CSV"),
        (b"a.png," + b"x" * 100_000, "a caption of 100000 characters (at most 2000)"),
        (b"a.png,a\0b", "control characters"),
    ],
)
def test_a_bad_line_of_csv_is_reported_with_line_and_reason(tmp_path, row, reason):
    put(tmp_path, "a.png")
    (tmp_path / "metadata.csv").write_bytes(b"file_name,text\na.png,good\n" + row + b"\n")
    assert found(tmp_path) == {"a.png": ("good",)}
    assert reason in problems(tmp_path)["metadata.csv:3"]


@given(st.binary(max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_csv_is_read_or_reported(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("any")
    put(folder, "a.png")
    (folder / "metadata.csv").write_bytes(b"file_name,text\na.png,good\n" + content)
    assert read_folder(folder).examples[0].captions[0] == "good"


def test_without_any_caption_file_the_sub_folders_are_the_captions(tmp_path):
    """The layout of torchvision's ImageFolder."""
    for name in ("golden_retriever/1.png", "golden_retriever/2.png", "deep/tabby-cat/1.png"):
        put(tmp_path, name)
    put(tmp_path, "loose.png")
    dataset = read_folder(tmp_path)
    assert {e.id: (e.captions, e.group) for e in dataset} == {
        "golden_retriever/1.png": (("golden retriever",), "golden_retriever"),
        "golden_retriever/2.png": (("golden retriever",), "golden_retriever"),
        "deep/tabby-cat/1.png": (("tabby cat",), "deep/tabby-cat"),
    }
    assert problems(tmp_path) == {"loose.png": "it is not in a class sub-folder"}


def test_a_single_sub_folder_is_not_a_class(tmp_path):
    for name in ("images/a.png", "images/b.png"):
        put(tmp_path, name)
    metadata(tmp_path, *({"file_name": f"images/{name}.png", "text": name} for name in "ab"))
    assert {example.group for example in read_folder(tmp_path)} == {"images/a.png", "images/b.png"}
    metadata(tmp_path, *({"file_name": f"images/{name}.png", "text": name, "label": 7} for name in "ab"))
    assert {example.group for example in read_folder(tmp_path)} == {"7"}


def test_a_split_is_a_sub_folder(tmp_path):
    put(tmp_path / "cats", "train/a.png", "a cat")
    put(tmp_path / "cats", "test/b.png", "another")
    dataset = t2i.load_dataset(f"folder:{tmp_path}/cats:test")
    assert ([e.id for e in dataset], dataset.name) == (["b.png"], "folder:cats:test")


def test_two_pictures_with_the_same_name_do_not_share_captions(tmp_path):
    put(tmp_path, "a.png", "a heart")
    put(tmp_path, "a.jpg")
    assert found(tmp_path) == {"a.jpg": ("a heart",)}
    assert problems(tmp_path) == {"a.png": "a.txt belongs to another picture of the same name"}


def test_a_caption_belongs_to_the_picture_that_is_read(tmp_path):
    """Phones save HEIC, and people keep it beside the JPEG they made of it."""
    put(tmp_path, "IMG_1.jpg", "a dog")
    (tmp_path / "IMG_1.HEIC").write_bytes(b"?")
    assert found(tmp_path) == {"IMG_1.jpg": ("a dog",)}
    assert problems(tmp_path) == {"IMG_1.HEIC": "pictures in .heic are not read; save it as PNG or JPEG"}


def test_links_that_leave_the_folder_are_not_followed(tmp_path):
    put(tmp_path / "out", "secret.png", "secret")
    folder = tmp_path / "in"
    put(folder, "a.png", "a heart")
    put(folder, "b.png")
    (folder / "b.txt").symlink_to(tmp_path / "out" / "secret.txt")
    (folder / "c.png").symlink_to(tmp_path / "out" / "secret.png")
    (folder / "c.txt").write_text("a caption")
    (folder / "d").symlink_to(tmp_path / "out")
    (folder / "e.png").symlink_to(folder / "gone.png")
    (folder / "f.png").symlink_to(folder / "a.png")
    (folder / "f.txt").write_text("the same heart")
    assert found(folder) == {"a.png": ("a heart",), "f.png": ("the same heart",)}
    assert {where: reason.partition(";")[0] for where, reason in problems(folder).items()} == {
        "b.png": "b.txt is a link out of the folder",
        "c.png": "c.png is a link out of the folder",
        "d": "a link to a folder, which is not followed",
        "e.png": "there is no picture e.png",
    }


def test_a_named_pipe_is_not_opened(tmp_path):
    put(tmp_path, "a.png", "a heart")
    os.mkfifo(tmp_path / "b.png")
    put(tmp_path, "c.png")
    os.mkfifo(tmp_path / "c.txt")
    assert found(tmp_path) == {"a.png": ("a heart",)}
    assert problems(tmp_path) == {"b.png": "b.png is not a regular file", "c.png": "c.txt is not a regular file"}


@pytest.mark.parametrize("long", [b"x" * 100_000, b"a\0b", b"a\x1b[2Jb"], ids=["long", "binary", "escape"])
def test_an_invalid_caption_line_is_left_out_and_the_others_are_kept(tmp_path, long):
    put(tmp_path, "a.png", b"a heart\n" + long)
    put(tmp_path, "b.png", long)
    dataset = read_folder(tmp_path)
    assert {e.id: e.captions for e in dataset} == {"a.png": ("a heart",)}
    assert [(p.where, p.skipped) for p in dataset.problems] == [("a.png", False), ("b.png", True)]


def test_transparent_pictures_are_put_on_the_given_background(tmp_path):
    Image.new("RGBA", (8, 8), (255, 0, 0, 0)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("nothing")
    dataset = read_folder(tmp_path)
    assert dataset.picture(0, 4)[0].getpixel((0, 0)) == (255, 255, 255)
    grey = dataset.on_background("#808080")
    assert grey.picture(0, 4)[0].getpixel((0, 0)) == (128, 128, 128)
    assert grey.fingerprint != dataset.fingerprint
    with pytest.raises(InvalidInputError, match="got 'greyish'"):
        dataset.on_background("greyish")


def test_sizes_are_those_of_the_upright_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "a.jpg", exif=exif)
    (tmp_path / "a.txt").write_text("lying")
    assert read_folder(tmp_path).size(0) == (4, 8)
