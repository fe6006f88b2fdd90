"""What a picture says about how it was made, in the form that t2i reads: `t2i regenerate` draws it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from t2i_onnx.folder import GENERATOR, TEXT, Record

CHUNK, DESCRIPTION, SOFTWARE = "t2i", "Description", "Software"  # keywords of a PNG's texts
ORIGINAL = "model.safetensors"  # the weights that were exported
DISTRIBUTIONS = ("t2i-onnx", "onnxruntime", "tokenizers")


def artist(record: Record, name: str) -> dict[str, Any]:
    """The exported model with the sha256 of its graphs and of the weights that they came from, and the versions here.

    Args:
        name: under which it was opened.
    """
    encoder = record.text_encoder
    graphs = {graph: record.files[graph] for graph in (GENERATOR, TEXT)}
    return {
        "name": name,
        "revision": "",
        "weights": {**graphs, ORIGINAL: record.model["weights_sha256"]},
        "text_encoders": {encoder["name"]: encoder["sha256"]},
        "device": "cpu",
        "versions": {name: version(name) for name in DISTRIBUTIONS},
        "adapters": {},
    }


def texts(record: Record, name: str, prompt: str, seed: int) -> Mapping[str, str]:
    """The texts of a picture's PNG file, by keyword."""
    made = {
        "prompt": prompt,
        "seed": seed,
        "options": dict(record.options),
        "artist": artist(record, name),
        "widened": None,
        "source": None,
    }
    return {
        DESCRIPTION: prompt,
        SOFTWARE: f"t2i-onnx {version('t2i-onnx')}",
        CHUNK: json.dumps(made, sort_keys=True),
    }
