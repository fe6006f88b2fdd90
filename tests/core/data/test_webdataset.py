"""Tar shards: samples by name without unpacking, and malicious or broken archives."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import t2i
from t2i.data.readers import webdataset
from t2i.data.readers.captions import MAX_CAPTION_FILE_BYTES
from t2i.data.readers.webdataset import read_webdataset
from t2i.errors import DataError
from t2i.testing.datasets import DatasetSuite


def jpeg(colour: str = "red", kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(buffer, kind)
    return buffer.getvalue()


def write(path: Path, *members: tuple[str | tarfile.TarInfo, bytes], dialect: int = tarfile.PAX_FORMAT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=dialect) as archive:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = info.size or len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


GOOD = [
    ("a/1.jpg", jpeg("red")),
    ("a/1.txt", b"red\na red one\n"),
    ("a/2.png", jpeg("blue", "PNG")),
    ("a/2.txt", b"blue"),
]


class TestWebDataset(DatasetSuite):
    @pytest.fixture
    def splits(self, tmp_path):
        for split in ("train", "test"):
            for shard in range(2):
                write(tmp_path / f"{split}-{shard:03}.tar", *GOOD)
        return {name: lambda name=name: read_webdataset(tmp_path, name) for name in ("train", "test")}


def test_samples_are_members_with_the_same_name(tmp_path):
    more = [("3.json", json.dumps({"text": ["x", "y"]}).encode()), ("3.cls", b"7"), ("3.webp", jpeg("green", "WEBP"))]
    write(tmp_path / "s-0.tar", *GOOD, *more)
    write(tmp_path / "s-1.tar", *GOOD)
    dataset = t2i.load_dataset(f"webdataset:{tmp_path}/s-*.tar")
    assert [(e.id, e.captions, e.group) for e in dataset.examples[:3]] == [
        ("s-0.tar:a/1.jpg", ("red", "a red one"), "s-0.tar:a/1"),
        ("s-0.tar:a/2.png", ("blue",), "s-0.tar:a/2"),
        ("s-0.tar:3.webp", ("x", "y"), "7"),
    ]
    assert len(dataset) == 5
    assert dataset.problems == []
    assert dataset.picture(1, 8)[0].getpixel((2, 2)) == (0, 0, 255)
    assert len(read_webdataset(tmp_path / "s-1.tar")) == 2


@pytest.mark.parametrize("dialect", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_tar_format_is_read(tmp_path, dialect):
    long = "folder/" + "x" * 90
    write(tmp_path / "a.tar", *GOOD, (f"{long}.jpg", jpeg("white")), (f"{long}.txt", b"long"), dialect=dialect)
    dataset = read_webdataset(tmp_path / "a.tar")
    assert dataset.examples[2].captions == ("long",)
    assert dataset.picture(2, 4)[0].getpixel((0, 0))[0] > 250


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([("5.jpg", jpeg())], "it has no caption"),
        ([("5.txt", b"alone")], "a sample without a picture"),
        ([("5.jpg", jpeg()), ("5.txt", b"\xff\xfe")], "its .txt is not UTF-8"),
        ([("5.jpg", jpeg()), ("5.txt", b" \n")], "it has no caption"),
        ([("5.jpg", jpeg()), ("5.txt", b"x" * 100_000)], "a caption of 100000 characters"),
        ([("5.jpg", jpeg()), ("5.txt", b"x" * (MAX_CAPTION_FILE_BYTES + 1))], "its .txt is larger than"),
        ([("5.jpg", jpeg()), ("5.json", b"{")], "its .json cannot be read"),
        ([("5.jpg", jpeg()), ("5.json", b"[" * 99_999)], "its .json cannot be read"),
        ([("5.jpg", jpeg()), ("5.json", b"[]")], "its .json is not an object"),
        ([("5.jpg", jpeg()), ("5.json", b'{"text": 4}')], "neither a text nor a list"),
        ([("5.jpg", jpeg()), ("5.png", jpeg("red", "PNG")), ("5.txt", b"x")], "two pictures with the same name"),
        ([("a/1.jpg", jpeg()), ("a/1.txt", b"again")], "duplicate name"),
        ([link("5.jpg", "/etc/passwd")], "not a plain file"),
        ([link("5.jpg", "a/1.jpg", tarfile.LNKTYPE)], "not a plain file"),
    ],
)
def test_a_bad_sample_is_reported_and_the_rest_is_read(tmp_path, members, reason):
    dataset = read_webdataset(write(tmp_path / "a.tar", *GOOD, *members))
    assert [example.captions for example in dataset] == [("red", "a red one"), ("blue",)]
    assert reason in str(dataset.problems[0])


def test_dots_in_a_name_are_part_of_it(tmp_path):
    members = [("x/IMG_22.05.jpg", jpeg()), ("x/IMG_22.05.txt", b"a dog"), ("IMG.1.2.png", jpeg("blue", "PNG"))]
    dataset = read_webdataset(write(tmp_path / "a.tar", *GOOD, *members, ("IMG.1.2.CAPTION", b"a cat")))
    assert [example.captions for example in dataset][2:] == [("a dog",), ("a cat",)]
    assert dataset.problems == []


def test_test_shards_are_not_read_with_the_training_shards(tmp_path):
    for name in ("train-0.tar", "train-1.tar", "val-0.tar"):
        write(tmp_path / name, *GOOD)
    dataset = t2i.load_dataset(str(tmp_path))
    assert (len(dataset), dataset.name) == (4, f"webdataset:{tmp_path.name}:train")
    assert "also there: val (1 shards)" in dataset.remarks[0]
    assert len(read_webdataset(f"{tmp_path}/*.tar")) == 6


def test_other_members_of_a_sample_are_counted_or_reported(tmp_path):
    members = [
        ("5.jpg", jpeg()),
        ("5.seg.png", jpeg("red", "PNG")),
        ("5.npy", b"x"),
        ("5.txt", b"five"),
        ("._5.jpg", b""),
    ]
    members += [("6.heic", b"?"), ("6.txt", b"six"), ("7.heic", b"?"), ("7.jpg", jpeg()), ("7.txt", b"seven")]
    dataset = read_webdataset(write(tmp_path / "a.tar", *GOOD, *members))
    assert [example.captions for example in dataset][2:] == [("five",), ("seven",)]
    assert [str(problem) for problem in dataset.problems] == [
        "a.tar:5.seg.png: .seg.png of a sample is not read",
        "a.tar:6: pictures in .heic are not read; save it as PNG or JPEG",
        "a.tar:7.heic: pictures in .heic are not read; save it as PNG or JPEG",
    ]
    assert dataset.remarks == ["Files that are neither pictures nor captions are skipped: 1 .npy."]


def test_captions_in_json_may_have_any_usual_name(tmp_path):
    members = [("5.jpg", jpeg()), ("5.json", json.dumps({"key": "5", "prompt": "five"}).encode())]
    assert read_webdataset(write(tmp_path / "a.tar", *members)).examples[0].captions == ("five",)


def test_a_member_name_with_dots_is_never_used_as_a_path(tmp_path):
    write(tmp_path / "in" / "a.tar", *GOOD, ("../../evil.jpg", jpeg()), ("../../evil.txt", b"evil"))
    before = sorted(tmp_path.rglob("*"))
    dataset = read_webdataset(tmp_path / "in" / "a.tar")
    assert dataset.examples[2].captions == ("evil",)
    dataset.picture(2, 8)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_picture_that_is_too_large_is_refused_without_reading_it(tmp_path, monkeypatch):
    monkeypatch.setattr(webdataset, "MAX_PICTURE_BYTES", 400)
    dataset = read_webdataset(write(tmp_path / "a.tar", *GOOD, ("5.jpg", b"x" * 401), ("5.txt", b"big")))
    assert "401 bytes are more than" in dataset.problems[-1].reason


def test_an_endless_extended_header_is_refused(tmp_path):
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 50_000_000
    content = info.tobuf(tarfile.USTAR_FORMAT) + b"9" * 100_000
    path = tmp_path / "a.tar"
    path.write_bytes(content)
    with pytest.raises(DataError, match="a header of 50000000 bytes"):
        read_webdataset(path)


@pytest.mark.parametrize("content", [b"", b"no tar", b"\x1f\x8b\x08" + bytes(600)])
def test_a_file_that_is_not_a_tar_is_a_one_sentence_error(tmp_path, content):
    (tmp_path / "a.tar").write_bytes(content)
    with pytest.raises(DataError, match=r"No captioned picture in webdataset:a\.tar"):
        read_webdataset(tmp_path / "a.tar")


def test_a_truncated_shard_is_read_up_to_the_damage(tmp_path):
    path = write(tmp_path / "a.tar", *GOOD)
    path.write_bytes(path.read_bytes()[: 512 * 6 + 100])
    dataset = read_webdataset(path)
    assert dataset.examples[0].captions == ("red", "a red one")
    assert any("not a complete tar file" in problem.reason for problem in dataset.problems)


def test_a_pattern_without_matches_is_a_one_sentence_error(tmp_path):
    with pytest.raises(DataError, match="There is no tar shard"):
        read_webdataset(f"{tmp_path}/*.tar")
    write(tmp_path / "train-0.tar", *GOOD)
    with pytest.raises(DataError, match="beginning with val"):
        read_webdataset(tmp_path, "val")


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_any_damage_is_reported_or_read(tmp_path_factory, data):
    path = write(tmp_path_factory.mktemp("tar") / "a.tar", *GOOD)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 4096))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        dataset = read_webdataset(path)
    except DataError as error:
        assert str(error)
    else:
        for index in range(len(dataset)):
            try:
                dataset.picture(index, 8)
            except DataError as error:
                assert str(error)
