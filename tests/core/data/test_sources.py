"""Which files of a folder may be read: regular ones inside it, also after links are followed."""

from __future__ import annotations

import os

import pytest

from t2i.data.readers.sources import FilesIn
from t2i.errors import DataError


@pytest.fixture
def folder(tmp_path):
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    for each in (outside, inside, inside / "sub"):
        each.mkdir()
        (each / "a.png").write_bytes(b"picture")
    (inside / "away").symlink_to(outside)
    (inside / "near").symlink_to(inside / "sub")
    (inside / "link.png").symlink_to(inside / "a.png")
    (inside / "out.png").symlink_to(outside / "a.png")
    os.mkfifo(inside / "pipe.png")
    return inside


@pytest.mark.parametrize("name", ["a.png", "sub/a.png", "near/a.png", "link.png", "sub/../a.png", "./a.png"])
def test_regular_files_inside_are_found(folder, name):
    files = FilesIn(folder)
    assert files.find(name) == files.find(name) == folder / name
    assert files.find(name).read_bytes() == b"picture"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("away/a.png", "is a link out of the folder"),
        ("out.png", "is a link out of the folder"),
        ("../outside/a.png", "is outside the folder"),
        ("sub/../../outside/a.png", "is outside the folder"),
        ("{outside}/a.png", "is outside the folder"),
        ("pipe.png", "is not a regular file"),
        ("sub", "there is no picture"),
        ("..", "is outside the folder"),
        ("b.png", "there is no picture"),
        ("missing/a.png", "there is no picture"),
        ("a\0.png", "there is no picture"),
        ("x" * 5000, "there is no picture"),
    ],
)
def test_everything_else_is_refused_each_time(folder, name, why):
    files, name = FilesIn(folder), name.format(outside=folder.parent / "outside")
    for _ in range(2):
        with pytest.raises(DataError, match=why):
            files.find(name)
