"""Checks an ONNX file before onnxruntime reads it: no data outside of the file, only standard operators.

An ONNX file is a protocol buffer: a message of numbered fields, some of which are messages. Only their structure is
read here, never the content of tensors. Field numbers are those of onnx.proto3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from t2i_onnx.errors import OnnxError

MESSAGES: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 8: "operators", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 9: "operators", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
DOMAIN = {"operators": 1, "node": 7, "function": 10}  # the field with the operators' domain
EXTERNAL_DATA, DATA_LOCATION = 13, 14  # of a tensor; a location of 0 is the tensor itself
STANDARD = (b"", b"ai.onnx")
DEEPEST = 32  # nested messages
VARINT, EIGHT_BYTES, BYTES, FOUR_BYTES = 0, 1, 2, 5  # wire types


class Field(NamedTuple):
    """One field: its number, its bytes if it has any, else the value of a varint."""

    number: int
    content: memoryview
    value: int = 0


def check_graph(content: bytes, name: str) -> None:
    """Refuse a graph that refers to another file, or whose operators are not ONNX's own.

    Raises:
        OnnxError: `name`, the file, does one of these, or is not an ONNX file.
    """
    try:
        _check("model", memoryview(content), 0)
    except ValueError as error:
        raise OnnxError(
            f"{name} must be one ONNX file without parts elsewhere, but {error}. Export it again."
        ) from None


def _check(kind: str, message: memoryview, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError(f"it nests messages more than {DEEPEST} deep")
    inner, domain = MESSAGES.get(kind, {}), DOMAIN.get(kind)
    for field in _fields(message):
        if kind == "tensor":
            if field.number == EXTERNAL_DATA or (field.number == DATA_LOCATION and field.value):
                raise ValueError("a tensor's data is in another file")
        elif field.number == domain and bytes(field.content[:100]) not in STANDARD:
            raise ValueError(f"it has operators of {bytes(field.content[:100]).decode(errors='replace')!r}")
        elif field.number in inner:
            _check(inner[field.number], field.content, depth + 1)


def _fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message, in order."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        wire, size, value = key & 7, 0, 0
        if wire == VARINT:
            value, place = _varint(message, place)
        elif wire == BYTES:
            size, place = _varint(message, place)
        elif wire in (EIGHT_BYTES, FOUR_BYTES):
            place += 8 if wire == EIGHT_BYTES else 4
        else:
            raise ValueError("it is not a protocol buffer")
        if place + size > len(message):
            raise ValueError("it is cut off")
        yield Field(key >> 3, message[place : place + size], value)
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """The number at `place` in groups of seven bits, and the place behind it."""
    number = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place
    raise ValueError("it is cut off")
