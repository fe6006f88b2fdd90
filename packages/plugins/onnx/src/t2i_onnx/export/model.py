"""Exports a pipeline: two graphs, a tokenizer and their record, in a folder that appears whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import emoji
import torch
from safetensors.torch import load_file

from t2i.config import Config
from t2i.drawing.artist import Artist
from t2i.drawing.pipeline import Pipeline
from t2i.errors import InvalidInputError, SnapshotError
from t2i.files import atomic_folder, sha256_of
from t2i.hub.layout import GOLDEN
from t2i.spelling import spelled
from t2i.text_graph import HasTextGraph, TextGraph
from t2i.version import __version__
from t2i_onnx.errors import OnnxError
from t2i_onnx.export.card import render
from t2i_onnx.export.check import Cost, check, cost
from t2i_onnx.export.graphs import OPSET, generator_graph, text_graph
from t2i_onnx.export.int8 import quantised
from t2i_onnx.folder import CARD, EMOJI, FORMAT, GENERATOR, RECORD, TEXT, TOKENIZER, Draw


@dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
        sizes: the bytes of each file.
        difference: the largest difference from torch's pictures, in [-1, 1].
        cost: of 8-bit weights; None if they are float32.
    """

    sizes: Mapping[str, int]
    difference: float
    cost: Cost | None


def export_model(artist: Artist, folder: Path, options: Config | None = None, *, int8: bool = False) -> Exported:
    """Export a pipeline; nothing is written unless its pictures are torch's.

    Args:
        artist: on the CPU.
        folder: must not exist.
        options: part of the graph; by default the artist's own.
        int8: 8-bit weights for matrix products.

    Raises:
        InvalidInputError: the artist, its generator or its text encoder cannot be exported, with the reason.
        SnapshotError: the graphs draw other pictures than torch.
        OutputError: the folder exists, or cannot be written.
    """
    if not isinstance(artist, Pipeline):
        raise InvalidInputError(
            f"Only models with a text encoder and a generator of t2i can be exported, but {artist.name} is a "
            f"{type(artist).__name__}. Export it with a tool of its own library."
        )
    if not isinstance(artist.encoder, HasTextGraph):
        raise InvalidInputError(
            f"{artist.name} cannot be exported: its text encoder {artist.encoder.identity.name} has no graph. Encoders "
            f"of t2i-text-hf have one."
        )
    options = options or artist.options()
    try:
        with atomic_folder(folder) as scratch:
            return _write(artist, options, scratch, artist.encoder.graph(), int8)
    except OnnxError as error:
        raise SnapshotError(str(error)) from None


def _write(artist: Pipeline, options: Config, folder: Path, text: TextGraph, int8: bool) -> Exported:
    generator, draws = generator_graph(artist.generator.for_drawing(), options)
    graphs = {GENERATOR: generator, TEXT: text_graph(text, artist.encoder.identity.name)}
    for name, content in graphs.items():
        (folder / name).write_bytes(content)
    (folder / TOKENIZER).write_text(text.tokenizer, encoding="utf-8")
    (folder / EMOJI).write_text(json.dumps(names_of_emoji()), encoding="ascii")
    record = _record(artist, options, draws, text.latin_only)
    _write_record(folder, record)
    difference, found = check(artist, options, folder, golden_text(artist)), None
    checked = {"largest difference from torch's pictures, in [-1, 1]": f"{difference:.1e}"}
    if int8:
        for name, content in graphs.items():
            (folder / name).write_bytes(quantised(content))
        _write_record(folder, record)
        found = cost(artist, options, folder)
        checked = {"largest difference before rounding to 8 bits": f"{difference:.1e}", **found.words}
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.name != RECORD}
    (folder / CARD).write_text(render(artist.snapshot, record["options"], checked, sizes), encoding="utf-8")
    measured = {"difference": difference, "int8": asdict(found) if found else None}
    _write_record(folder, {**record, "checked": measured})
    return Exported({**sizes, CARD: (folder / CARD).stat().st_size}, difference, found)


def names_of_emoji() -> dict[str, str]:
    """The words for each emoji, as `t2i.spelling` has them; `emoji` is its package."""
    return {symbol: words for symbol in emoji.EMOJI_DATA if (words := spelled(symbol)) != symbol}


def golden_text(artist: Pipeline) -> Mapping[str, torch.Tensor]:
    """The golden input of the snapshot: captions as tensors, and seeds; empty if it has none."""
    path = artist.snapshot.folder / GOLDEN
    if not path.is_file():
        return {}
    golden = load_file(path)
    return {name: golden[name].clone() for name in ("sentence", "words", "mask", "seeds")}


def _record(artist: Pipeline, options: Config, draws: list[Draw], latin_only: bool) -> dict[str, Any]:
    snapshot, encoder = artist.snapshot, artist.encoder.identity
    return {
        "format": FORMAT,
        "model": {
            "name": snapshot.name,
            "revision": snapshot.revision,
            "technique": snapshot.config.technique,
            "config": snapshot.config.config,
            "weights_sha256": snapshot.config.weights_sha256,
            "license": snapshot.config.facts.license,
            "dataset": snapshot.config.facts.dataset,
        },
        "text_encoder": {**asdict(encoder), "latin_only": latin_only},
        "options": options.model_dump(mode="json"),
        "resolution": artist.resolution,
        "noise": [{"kind": draw.kind, "shape": list(draw.shape)} for draw in draws],
        "opset": OPSET,
        "versions": {"t2i-core": __version__, "torch": torch.__version__, "emoji": emoji.__version__},
    }


def _write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """`onnx.json`, with the sha256 of every other file."""
    files = {path.name: sha256_of(path) for path in sorted(folder.iterdir()) if path.name != RECORD}
    (folder / RECORD).write_text(json.dumps({**record, "files": files}, indent=2) + "\n", encoding="ascii")
