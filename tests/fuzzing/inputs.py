"""Inputs for the readers of untrusted files: JSON of any shape, and good files with bytes changed."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from t2i.drawing.provenance import CHUNK

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=30) | st.sampled_from(
    ["\x1b[2J", "x" * 5000, "\u202e", "../../etc/passwd", "a\0b", "\ud800", "1e999", ""]
)
NUMBERS = st.integers(-(2**70), 2**70) | st.floats() | st.sampled_from([10**400, -1, 0, 2**63])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=8,
)
CHANGES = st.sampled_from(["set", "insert", "delete", "repeat", "cut"])
EDITS = st.lists(st.tuples(st.integers(0, 2**20), CHANGES, st.binary(max_size=9)), max_size=6)
DEEP = st.sampled_from([b"[" * 100_000, b'{"a":' * 60_000, b'"' + b"x" * 300_000 + b'"', b"9" * 5000, b"", b"\xff\xfe"])


def changed(content: bytes, edits: list[tuple[int, str, bytes]]) -> bytes:
    """`content` with some of its bytes changed."""
    for place, kind, data in edits:
        at = place % (len(content) + 1)
        if kind == "set":
            content = content[:at] + data + content[at + len(data) :]
        elif kind == "insert":
            content = content[:at] + data + content[at:]
        elif kind == "delete":
            content = content[:at] + content[at + len(data) :]
        elif kind == "repeat":
            content = content[:at] + content[max(0, at - 512) : at] * (1 + len(data)) + content[at:]
        else:
            content = content[:at]
    return content


def edited(good: bytes) -> st.SearchStrategy[bytes]:
    """A good file with bytes changed."""
    return st.builds(changed, st.just(good), EDITS)


def json_like(good: dict[str, Any]) -> st.SearchStrategy[bytes]:
    """A valid JSON object with changed fields or bytes, or any other content."""
    fields = st.dictionaries(st.sampled_from(list(good)) | ANY_TEXT, JSON, max_size=4)
    return (
        fields.map(lambda changes: json.dumps(good | changes).encode())
        | edited(json.dumps(good).encode())
        | JSON.map(lambda value: json.dumps(value).encode())
        | DEEP
    )


def safetensors_like(good: bytes) -> st.SearchStrategy[bytes]:
    """A good safetensors file with bytes changed, or a header of any shape."""
    entry = st.fixed_dictionaries(
        {},
        optional={
            "dtype": st.sampled_from(["F32", "I64", "BOOL", "X"]) | JSON,
            "shape": st.lists(st.integers(-2, 2**40), max_size=3) | JSON,
            "data_offsets": st.lists(st.integers(-4, 2**63), max_size=3) | JSON,
        },
    )
    headers = st.dictionaries(ANY_TEXT, entry | JSON, max_size=4).map(lambda header: json.dumps(header).encode()) | DEEP
    lengths = st.none() | st.integers(0, 2**64 - 1)
    whole = st.builds(
        lambda header, length, data: struct.pack("<Q", len(header) if length is None else length) + header + data,
        headers,
        lengths,
        st.binary(max_size=64),
    )
    return edited(good) | whole


def png(text: str) -> bytes:
    """A small PNG that carries `text` as its provenance."""
    chunks, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    chunks.add_itxt(CHUNK, text)
    Image.new("RGB", (4, 4), "red").save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


def tar(members: list[tuple[str, bytes, bytes]]) -> bytes:
    """A tar file of members given as name, content and type, damaged or not."""
    whole = io.BytesIO()
    for name, content, kind in members:
        head = tarfile.TarInfo(name)
        head.size, head.type = len(content), kind
        try:
            block = head.tobuf(tarfile.GNU_FORMAT, errors="surrogateescape")
        except (ValueError, UnicodeError):
            continue
        whole.write(block + content + b"\0" * (-len(content) % 512))
    return whole.getvalue() + b"\0" * 1024


def zip_of(picture: Path) -> bytes:
    """A zip of a picture, deflated, with its caption, stored."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.write(picture, picture.name, zipfile.ZIP_DEFLATED)
        archive.writestr(f"{picture.stem}.txt", "a red square")
    return whole.getvalue()


MEMBER_KINDS = st.sampled_from([b"0", b"L", b"K", b"x", b"g", b"X", b"S", b"1", b"2", b"5", b"7"])
MEMBER_CONTENTS = st.binary(max_size=700) | st.sampled_from(
    [b"11 size=-3\n", b"20 path=\x1b[2J.png\n", b"2 " * 300, b"1" * 900, b"a red square", b'{"text": ["a", 1]}']
)
MEMBER_NAMES = st.sampled_from(["a.png", "a.txt", "b.json", "c.cls"]) | ANY_TEXT
TARS = st.lists(st.tuples(MEMBER_NAMES, MEMBER_CONTENTS, MEMBER_KINDS))
