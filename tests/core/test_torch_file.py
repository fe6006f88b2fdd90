"""A file of torch.save that would take much more memory or time than its size suggests is refused before it is read."""

from __future__ import annotations

import os
import pickle
import time
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from t2i.errors import SnapshotError
from t2i.snapshots.foreign import read_checkpoint
from t2i.snapshots.torch_file import check_claims

STATE = OrderedDict((f"layer{index}.weight", torch.full((3, 2), float(index))) for index in range(20))
MILLION = 1_000_000


def archive(path: Path, compression: int = zipfile.ZIP_STORED, **records: bytes) -> Path:
    """A file like torch.save's, with these records replaced."""
    torch.save(STATE, path)
    with zipfile.ZipFile(path) as whole:
        own = {record.filename.partition("/")[2]: whole.read(record) for record in whole.infolist()}
    names = {"pickle": "data.pkl", "storage": "data/0"}
    own |= {names[name]: content for name, content in records.items()}
    with zipfile.ZipFile(path, "w", compression) as changed:
        for name, content in own.items():
            changed.writestr(f"archive/{name}", content)
    return path


@pytest.mark.parametrize("new", [True, False], ids=["zip", "before torch 1.6"])
def test_files_of_torch_save_are_read(tmp_path: Path, new: bool) -> None:
    torch.save(STATE, tmp_path / "a.pth", _use_new_zipfile_serialization=new)
    found = read_checkpoint(tmp_path / "a.pth")
    assert found.keys() == STATE.keys() and all(torch.equal(found[name], STATE[name]) for name in STATE)


def test_compressed_records_are_refused_before_they_expand(tmp_path: Path) -> None:
    path = archive(tmp_path / "bomb.pth", zipfile.ZIP_DEFLATED, storage=b"\0" * 50_000_000)
    assert path.stat().st_size < 200_000
    with pytest.raises(SnapshotError, match="its records are compressed"):
        read_checkpoint(path)


def test_overlapping_records_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "bomb.pth", storage=b"\0" * 5000)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as whole:
        place = whole.start_dir
    entry = content[place : content.rindex(b"PK\x05\x06")]
    count = entry.count(b"PK\x01\x02")
    end = bytearray(content[content.rindex(b"PK\x05\x06") :])
    copies = 40
    end[8:12] = (count * copies).to_bytes(2, "little") * 2
    end[12:16] = (len(entry) * copies).to_bytes(4, "little")
    path.write_bytes(content[:place] + entry * copies + bytes(end))
    with pytest.raises(SnapshotError, match="its records claim"):
        read_checkpoint(path)


TRAPS = {
    "nested tuples": b"\x80\x02)" + b"\x85" * MILLION + b".",
    "a nested tuple as a name": b"\x80\x02}(" + b")" + b"\x85" * MILLION + b"K\x01u.",
    "nested pairs": b"\x80\x02)" + b")\x86" * MILLION + b".",
    "nested marks": b"\x80\x02" + b"(" * 200_000 + b"t" * 200_000 + b".",
    "nested by the memo": b"\x80\x04)" + b"\x94h\x00\x85" * 300_000 + b".",
    "nested lists": b"\x80\x02" + b"](" * 150_000 + b"e" * 150_000 + b".",
    "two million numbers": b"\x80\x02](" + b"K\x01" * 2 * MILLION + b"e.",
    "no pickle": b"\xff" * 100,
    "nothing": b"",
}


IN_ZIPS = ("nested tuples", "no pickle", "nothing")  # where the pickle lies changes nothing about the others


@pytest.mark.parametrize(("trap", "zipped"), [(trap, False) for trap in TRAPS] + [(trap, True) for trap in IN_ZIPS])
def test_a_malicious_pickle_is_refused_within_seconds(tmp_path: Path, trap: str, zipped: bool) -> None:
    path = archive(tmp_path / "trap.pth", pickle=TRAPS[trap]) if zipped else tmp_path / "trap.pth"
    if not zipped:
        path.write_bytes(TRAPS[trap])
    began = time.process_time()
    with pytest.raises(SnapshotError) as refused:
        read_checkpoint(path)
    assert time.process_time() - began < 10
    assert len(str(refused.value)) < 1000


def test_the_check_unpickles_nothing(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "executed"),)

    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Evil()) * 4)
    check_claims(tmp_path / "evil.pth")
    with pytest.raises(SnapshotError):
        read_checkpoint(tmp_path / "evil.pth")
    assert not (tmp_path / "executed").exists()


def test_a_fifo_is_not_a_checkpoint(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.pth")
    with pytest.raises(SnapshotError, match="not a regular file"):
        read_checkpoint(tmp_path / "a.pth")
