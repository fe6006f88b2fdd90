"""Malicious tar files are refused at once, and members before the malicious one are read."""

from __future__ import annotations

import io
import os
import tarfile
import time
from pathlib import Path

import pytest
from PIL import Image

from t2i.data.readers.findings import LONGEST
from t2i.data.readers.webdataset import read_webdataset
from t2i.errors import DataError


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE) -> bytes:
    """One member with its content, padded to blocks."""
    head = tarfile.TarInfo(name)
    head.size, head.type = len(content), kind
    return head.tobuf(tarfile.GNU_FORMAT) + content + b"\0" * (-len(content) % 512)


def sample() -> bytes:
    """A picture with its caption."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
    return member("a.png", buffer.getvalue()) + member("a.txt", b"a red square")


def negative_size() -> bytes:
    """A size of -512 in base 256, GNU tar's encoding of large numbers."""
    head = bytearray(member("b.png"))
    head[124:136] = (256**12 - 512).to_bytes(12, "big")
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def record(key: str, value: str) -> bytes:
    """A pax record: its own length, key and value."""
    body = f" {key}={value}\n".encode()
    length = len(body) + len(str(len(body)))
    length += len(str(length)) - len(str(len(body)))
    return str(length).encode() + body


def pax(content: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    return member("pax", content, kind) + member("b.png", b"x" * 600)


TRAPS = {
    "negative size": negative_size(),
    "negative pax size": pax(record("size", "-1536")),
    "negative global pax size": pax(record("size", "-1536"), tarfile.XGLTYPE),
    "900 long names": member("long", b"b.png\0", tarfile.GNUTYPE_LONGNAME) * 900 + member("b.png", b"x"),
    "900 pax headers": member("pax", record("path", "b.png"), tarfile.XHDTYPE) * 900 + member("b.png", b"x"),
    "a pax header of digits": pax(record("comment", "1" * 900_000)),
    "a pax header of lengths": pax(b"2 " * 450_000 + b"="),
    "a record of length 0": pax(b"0 a=b\n"),
    "a huge long name": member("long", b"x" * 2_000_000, tarfile.GNUTYPE_LONGNAME) + member("b.png", b"x"),
    "a sparse map that ends": member("b.png", b"", tarfile.GNUTYPE_SPARSE)[:482] + b"\1" + b"\0" * 29,
    "cut off": member("b.png", b"x" * 2000)[:700],
}


@pytest.mark.parametrize("trap", TRAPS.values(), ids=list(TRAPS))
def test_a_malicious_header_is_reported_at_once(tmp_path: Path, trap: bytes) -> None:
    (tmp_path / "shard.tar").write_bytes(sample() + trap + b"\0" * 1024)
    began = time.process_time()
    found = read_webdataset(tmp_path / "shard.tar")
    assert time.process_time() - began < 5
    assert [example.captions for example in found.examples] == [("a red square",)]
    assert any("not a complete tar file" in problem.reason for problem in found.problems)
    assert all(len(str(problem)) < 1000 for problem in found.problems)


def test_a_name_cannot_control_the_terminal(tmp_path: Path) -> None:
    name = "\x1b[2J" + "n" * 3000
    (tmp_path / "shard.tar").write_bytes(sample() + pax(record("path", f"{name}.png")))
    (problem,) = read_webdataset(tmp_path / "shard.tar").problems
    assert problem.where.startswith("shard.tar:\\x1b[2Jnnn") and len(problem.where) <= LONGEST


def test_a_fifo_is_not_a_tar_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "shard.tar")
    with pytest.raises(DataError):
        read_webdataset(tmp_path)
