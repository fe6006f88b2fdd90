"""The smallest exported model, with random weights; `t2i check` and the tests draw with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from t2i_onnx.export.graphs import OPSET
from t2i_onnx.export.model import names_of_emoji
from t2i_onnx.folder import CARD, EMOJI, FORMAT, GENERATOR, RECORD, TEXT, TOKENIZER

WORDS = ("[UNK]", "a", "and", "red", "green", "blue", "yellow", "square", "heart", "star", "pizza", "panda")
WIDTH, NOISE, SIDE, LONGEST = 8, 20, 8, 12
IR_VERSION = 10  # of ONNX 1.16, which onnxruntime has read since 1.18


def write_tiny(folder: Path) -> None:
    """Write the model into the new folder."""
    folder.mkdir(parents=True)
    (folder / TEXT).write_bytes(tiny_text())
    (folder / GENERATOR).write_bytes(tiny_generator())
    (folder / TOKENIZER).write_text(tiny_tokenizer().to_str())
    (folder / EMOJI).write_text(json.dumps(names_of_emoji()))
    (folder / CARD).write_text("---\nlibrary_name: t2i\n---\n\n# A tiny exported model with random weights\n")
    write_record(folder)


def write_record(folder: Path) -> None:
    """Write `onnx.json` for the files that are there."""
    files = [path for path in sorted(folder.iterdir()) if path.name != RECORD]
    record = {
        "format": FORMAT,
        "model": {
            "name": "tiny",
            "revision": "",
            "technique": "tiny",
            "weights_sha256": "0" * 64,
            "license": "CC0-1.0",
        },
        "text_encoder": {"name": "tiny", "sha256": "1" * 64, "latin_only": True},
        "options": {"gain": 1.0},
        "resolution": SIDE,
        "noise": [{"kind": "normal", "shape": [NOISE]}, {"kind": "uniform", "shape": [2, 2]}],
        "files": {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files},
    }
    (folder / RECORD).write_text(json.dumps(record, indent=2))


def tiny_tokenizer() -> Tokenizer:
    """Words in lower case."""
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token=WORDS[0]))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(LONGEST)
    return tokenizer


def tiny_text() -> bytes:
    """A row of a table for each word; the sentence is their mean."""
    table = np.random.default_rng(0).normal(size=(len(WORDS), WIDTH)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["words"]),
        helper.make_node("ReduceMean", ["words", "axis"], ["sentence"], keepdims=0),
    ]
    return _model(
        nodes,
        {"ids": (TensorProto.INT64, ["b", "l"])},
        {"sentence": ["b", WIDTH], "words": ["b", "l", WIDTH]},
        table=table,
        axis=np.array([1]),
    )


def tiny_generator() -> bytes:
    """One matrix from sentence and noise to pixels."""
    matrix = np.random.default_rng(1).normal(size=(WIDTH + NOISE + 4, 3 * SIDE**2)).astype(np.float32) / 4
    nodes = [
        helper.make_node("Flatten", ["noise_1"], ["flat"]),
        helper.make_node("Concat", ["sentence", "noise_0", "flat"], ["both"], axis=1),
        helper.make_node("MatMul", ["both", "matrix"], ["lines"]),
        helper.make_node("Tanh", ["lines"], ["pixels"]),
        helper.make_node("Reshape", ["pixels", "shape"], ["images"]),
    ]
    inputs: dict[str, tuple[int, Sequence[str | int]]] = {
        "sentence": (TensorProto.FLOAT, ["b", WIDTH]),
        "words": (TensorProto.FLOAT, ["b", "l", WIDTH]),
        "mask": (TensorProto.BOOL, ["b", "l"]),
        "noise_0": (TensorProto.FLOAT, ["b", NOISE]),
        "noise_1": (TensorProto.FLOAT, ["b", 2, 2]),
    }
    return _model(nodes, inputs, {"images": ["b", 3, SIDE, SIDE]}, matrix=matrix, shape=np.array([-1, 3, SIDE, SIDE]))


def _model(
    nodes: Sequence[NodeProto],
    inputs: Mapping[str, tuple[int, Sequence[str | int]]],
    outputs: Mapping[str, Sequence[str | int]],
    **tensors: NDArray[np.generic],
) -> bytes:
    """
    Args:
        inputs: type and shape by name.
        outputs: shapes of float32.
    """
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(tensor, name) for name, tensor in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())
