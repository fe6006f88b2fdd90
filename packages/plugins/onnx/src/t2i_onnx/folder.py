"""An exported folder on disk: `onnx.json`, which names every other file with its sha256, read and verified.

The folder may come from anywhere, so only files of known names and bounded sizes are read.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from t2i_onnx.errors import OnnxError
from t2i_onnx.graph_file import check_graph

RECORD, CARD = "onnx.json", "README.md"
TEXT, GENERATOR, TOKENIZER, EMOJI = "text.onnx", "generator.onnx", "tokenizer.json", "emoji.json"
NEEDED = (TEXT, GENERATOR, TOKENIZER, EMOJI)
FORMAT = 1
MAX_RECORD_BYTES = 1_000_000
MAX_FILE_BYTES = 2**30
MAX_NUMBERS = 2**24  # of noise for one picture
MAX_RESOLUTION = 4096
OPENING = ("O_RDONLY", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")  # if this system has them
ValueT = TypeVar("ValueT")


@dataclass(frozen=True)
class Draw:
    """Numbers that a picture takes from its stream.

    Attributes:
        kind: "normal" or "uniform".
        shape: without the batch.
    """

    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Record:
    """What `onnx.json` says.

    Attributes:
        model: name, revision and technique of the model that was exported, the sha256 of its weights, their licence.
        text_encoder: name and sha256 of its text encoder, and whether it has learned only words in Latin letters.
        options: the options that the pictures are drawn with; they are part of the graph.
        resolution: the pictures' side in pixels.
        noise: the numbers that each picture takes from its stream, in order.
        files: the sha256 of every other file.
    """

    model: Mapping[str, Any]
    text_encoder: Mapping[str, Any]
    options: Mapping[str, Any]
    resolution: int
    noise: tuple[Draw, ...]
    files: Mapping[str, str]


def read_record(folder: Path) -> Record:
    """
    Raises:
        OnnxError: there is no such folder, or its `onnx.json` is missing or not of this format.
    """
    try:
        values = json.loads(_read(folder, RECORD, MAX_RECORD_BYTES))
    except (ValueError, RecursionError) as error:
        raise OnnxError(f"{folder / RECORD} must be JSON, but is not ({error}). Export the model again.") from None
    try:
        if _of(values, "format", int) != FORMAT:
            raise ValueError(f"its format is {values['format']!r}, and this program reads {FORMAT}")
        model, encoder, files = (_of(values, name, dict) for name in ("model", "text_encoder", "files"))
        for name in ("name", "revision", "technique", "weights_sha256", "license"):
            _of(model, name, str)
        for name, kind in (("name", str), ("sha256", str), ("latin_only", bool)):
            _of(encoder, name, kind)
        return Record(
            model=model,
            text_encoder=encoder,
            options=_of(values, "options", dict),
            resolution=_whole(_of(values, "resolution", int), MAX_RESOLUTION),
            noise=_draws(_of(values, "noise", list)),
            files={name: _of(files, name, str) for name in NEEDED},
        )
    except ValueError as error:
        raise OnnxError(f"{folder / RECORD} cannot be used: {error}. Export the model again.") from None


def read_verified(folder: Path, record: Record, name: str) -> bytes:
    """The content of a file of the folder, as exported.

    Raises:
        OnnxError: it is missing, too large, or not the file that was exported; or a graph that refers elsewhere.
    """
    content = _read(folder, name, MAX_FILE_BYTES)
    found = hashlib.sha256(content).hexdigest()
    if found != record.files[name]:
        raise OnnxError(
            f"{folder / name} must have the sha256 {record.files[name][:64]}, but has {found}: it is damaged or was "
            f"changed. Export the model again."
        )
    if name.endswith(".onnx"):
        check_graph(content, str(folder / name))
    return content


def _read(folder: Path, name: str, limit: int) -> bytes:
    path = folder / name
    try:
        descriptor = os.open(path, sum(getattr(os, flag, 0) for flag in OPENING))  # never waits for a FIFO
        with os.fdopen(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            if not stat.S_ISREG(facts.st_mode):
                raise OnnxError(f"{path} must be a file, but is not. Export the model again.")
            if facts.st_size > limit:
                raise OnnxError(
                    f"{path} may have at most {limit:,} bytes, but has {facts.st_size:,}. Export the model again."
                )
            return file.read(limit)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise OnnxError(
            f"{folder} must be a folder that `t2i export --format onnx` wrote, but its {name} cannot be read "
            f"({reason}). Give another folder, or export the model again."
        ) from None


def _draws(values: list[Any]) -> tuple[Draw, ...]:
    draws = []
    for value in values:
        kind, shape = _of(value, "kind", str), tuple(_of(value, "shape", list))
        if kind not in ("normal", "uniform"):
            raise ValueError(f"a kind of noise is 'normal' or 'uniform', not {kind[:40]!r}")
        left = MAX_NUMBERS
        for side in shape:
            left //= _whole(side, left)
        draws.append(Draw(kind, shape))
    return tuple(draws)


def _whole(value: object, most: int) -> int:
    if type(value) is not int or not 1 <= value <= max(most, 1):
        raise ValueError(f"expected a whole number from 1 to {max(most, 1)}, got {str(value)[:40]}")
    return value


def _of(values: Any, name: str, kind: type[ValueT]) -> ValueT:
    """The value called `name`, of the right type."""
    value = values.get(name) if isinstance(values, dict) else None
    if type(value) is not kind:
        raise ValueError(f"{name!r} must be a {kind.__name__}, but is {'missing' if value is None else 'not'}")
    return value
