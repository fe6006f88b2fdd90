"""Files and folders appear complete or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
from functools import partial
from pathlib import Path

import pytest

from t2i import files
from t2i.errors import OutputError
from t2i.files import atomic_file, atomic_folder, cache_home, read_bytes, read_json, regular, sha256_of, write_atomic


@pytest.fixture
def full_disk(monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)


def files_under(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_file_is_written_with_its_folders(tmp_path):
    write_atomic(tmp_path / "a" / "b" / "x.bin", b"\x00content")
    assert (tmp_path / "a" / "b" / "x.bin").read_bytes() == b"\x00content"
    assert files_under(tmp_path) == ["a", "a/b", "a/b/x.bin"]


def test_a_written_file_is_readable_by_others(tmp_path):
    write_atomic(tmp_path / "x", b"1")
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o644


def test_a_full_disk_leaves_the_old_file(tmp_path, full_disk):
    (tmp_path / "x").write_bytes(b"old")
    with pytest.raises(OutputError, match="No space left on device"):
        write_atomic(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"old"
    assert files_under(tmp_path) == ["x"]


def test_an_interrupt_while_writing_leaves_no_temporary_file(tmp_path, monkeypatch):
    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "x", b"new")
    assert files_under(tmp_path) == []


@pytest.mark.parametrize("place", ["file/x", "file/deeper/x"])
def test_a_path_through_a_file_is_refused(tmp_path, place):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError, match="Cannot write"):
        write_atomic(tmp_path / place, b"1")
    with pytest.raises(OutputError, match="Cannot write"), atomic_folder(tmp_path / place):
        pass
    assert files_under(tmp_path) == ["file"]


def test_a_file_does_not_replace_a_folder(tmp_path):
    (tmp_path / "x").mkdir()
    with pytest.raises(OutputError, match=f"Cannot write {tmp_path / 'x'}"):
        write_atomic(tmp_path / "x", b"1")
    assert files_under(tmp_path) == ["x"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        write_atomic(tmp_path / "x", b"1")
    with pytest.raises(OutputError, match="Permission denied"), atomic_folder(tmp_path / "y"):
        pass
    tmp_path.chmod(0o700)
    assert files_under(tmp_path) == []


def test_a_folder_appears_when_its_block_ends(tmp_path):
    with atomic_folder(tmp_path / "deep" / "out") as scratch:
        (scratch / "inner").mkdir()
        (scratch / "inner" / "x").write_text("1")
        assert not (tmp_path / "deep" / "out").exists()
    assert files_under(tmp_path) == ["deep", "deep/out", "deep/out/inner", "deep/out/inner/x"]


@pytest.mark.parametrize("error", [ValueError("mine"), KeyboardInterrupt()])
def test_a_folder_is_removed_after_an_error_in_its_block(tmp_path, error):
    with pytest.raises(type(error)), atomic_folder(tmp_path / "out") as scratch:
        (scratch / "x").write_text("1")
        raise error
    assert files_under(tmp_path) == []


def test_a_full_disk_leaves_no_folder(tmp_path, full_disk):
    with pytest.raises(OutputError, match="No space left on device"), atomic_folder(tmp_path / "out") as scratch:
        (scratch / "x").write_text("1")
    assert files_under(tmp_path) == []


def test_an_existing_folder_is_never_overwritten(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("precious")
    with pytest.raises(OutputError, match="already exists"), atomic_folder(tmp_path / "out"):
        pytest.fail("the block must not run")
    assert (tmp_path / "out" / "mine").read_text() == "precious"
    assert files_under(tmp_path) == ["out", "out/mine"]


def test_a_folder_created_meanwhile_is_not_overwritten(tmp_path):
    with pytest.raises(OutputError, match="Cannot write"), atomic_folder(tmp_path / "out"):
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "theirs").write_text("precious")
    assert files_under(tmp_path) == ["out", "out/theirs"]


def test_sha256_is_hashlibs(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "x").write_bytes(content)
    assert sha256_of(tmp_path / "x") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(("variable", "expected"), [("/some/where", Path("/some/where")), ("", None)])
def test_the_cache_is_at_the_variable_or_in_the_home_folder(variable, expected, monkeypatch):
    monkeypatch.setenv("T2I_CACHE", variable)
    assert cache_home() == (expected or Path.home() / ".cache" / "t2i")


@pytest.fixture
def special(tmp_path: Path) -> list[Path]:
    """A FIFO without a writer, endless zeros, a folder, and links to them."""
    fifo, zeros = tmp_path / "fifo", tmp_path / "zeros"
    os.mkfifo(fifo)
    zeros.symlink_to("/dev/zero")
    (tmp_path / "link").symlink_to(fifo)
    return [fifo, zeros, tmp_path / "link", tmp_path, Path("/dev/null")]


def test_only_regular_files_are_read(special: list[Path]) -> None:
    for path in special:
        for read in (read_json, sha256_of, regular, partial(read_bytes, limit=10)):
            with pytest.raises(OSError, match="not a regular file"):
                read(path)


def test_a_file_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 11)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert read_bytes(tmp_path / "link", 11) == b"x" * 11
    with pytest.raises(OSError, match="larger than 10 bytes") as refused:
        read_bytes(tmp_path / "file", 10)
    assert refused.value.strerror == "larger than 10 bytes"


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "missing"])
def test_an_invalid_file_name_is_an_os_error(name: str) -> None:
    with pytest.raises(OSError):
        read_bytes(Path(name), 10)


def test_malicious_json_is_a_value_error(tmp_path: Path) -> None:
    for content in (b"[" * 100_000, b"\xff\xfe\x00", b"{", b"1" * 5000):
        (tmp_path / "trap.json").write_bytes(content)
        with pytest.raises(ValueError):
            read_json(tmp_path / "trap.json")


def test_a_file_of_many_holes_is_refused_before_it_is_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_HOLE_BYTES", 2**20)
    file, whole = tmp_path / "file", os.urandom(3 * 2**20)
    file.write_bytes(whole)
    assert sha256_of(file) == hashlib.sha256(whole).hexdigest()
    with file.open("r+b") as open_file:
        open_file.truncate(4 * 2**20)  # a hole of 1 MiB, as `cp` makes of zeros
    assert sha256_of(file) == hashlib.sha256(whole + bytes(2**20)).hexdigest()
    with file.open("r+b") as open_file:
        open_file.seek(4 * 2**20 + 4096)
        open_file.write(b"the end")
    with pytest.raises(OSError, match="a sparse file: more than 1048576 of its 4198407 bytes were never written"):
        sha256_of(file)


def test_a_file_written_in_parts_appears_when_it_is_complete(tmp_path: Path):
    path = tmp_path / "new" / "rows.csv"
    with atomic_file(path) as file:
        file.write(b"one\n")
        assert not path.exists()
        file.write(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"
    with pytest.raises(ZeroDivisionError), atomic_file(path) as file:
        file.write(b"three")
        raise ZeroDivisionError
    assert path.read_bytes() == b"one\ntwo\n" and [*path.parent.iterdir()] == [path]
