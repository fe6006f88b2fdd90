"""A folder from anywhere: what is damaged, missing, outside of it or too large is refused in one sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

import t2i
from t2i.errors import SnapshotError
from t2i_onnx.drawing import Drawing
from t2i_onnx.errors import OnnxError
from t2i_onnx.folder import GENERATOR, NEEDED, RECORD, TEXT, TOKENIZER
from t2i_onnx.graph_file import check_graph
from t2i_onnx.tiny import tiny_generator, tiny_text, tiny_tokenizer

Changed = Callable[..., Path]


def outside(location: str) -> TensorProto:
    tensor = TensorProto(name="matrix", data_type=TensorProto.FLOAT, dims=[32, 192])
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    return tensor


def with_tensor(tensor: TensorProto) -> bytes:
    model = onnx.load_from_string(tiny_generator())
    model.graph.initializer[0].CopyFrom(tensor)
    return model.SerializeToString()


def in_a_branch(tensor: TensorProto) -> bytes:
    """The same as a constant of an attribute's graph."""
    model = onnx.load_from_string(tiny_generator())
    constant = helper.make_node("Constant", [], ["inner"], value=tensor)
    branch = helper.make_graph([constant], "branch", [], [])
    model.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch))
    return model.SerializeToString()


def foreign(domain: str) -> bytes:
    model = onnx.load_from_string(tiny_generator())
    model.graph.node.append(helper.make_node("Evil", ["x"], ["y"], domain=domain))
    return model.SerializeToString()


@pytest.mark.parametrize("location", ["/etc/passwd", "../secret", "weights.bin", ""])
@pytest.mark.parametrize("build", [with_tensor, in_a_branch])
def test_data_in_another_file_is_refused(changed: Changed, build: Callable[..., bytes], location: str) -> None:
    with pytest.raises(OnnxError, match="another file"):
        Drawing(changed({GENERATOR: build(outside(location))}))


@pytest.mark.parametrize("domain", ["com.evil", "com.microsoft", "ai.onnx.ml"])
def test_operators_of_others_are_refused(changed: Changed, domain: str) -> None:
    with pytest.raises(OnnxError, match=f"operators of '{domain}'"):
        Drawing(changed({GENERATOR: foreign(domain)}))


@pytest.mark.parametrize("name", NEEDED)
def test_a_changed_or_missing_file_is_refused(changed: Changed, name: str) -> None:
    folder = changed({name: b"changed"}, rehash=False)
    with pytest.raises(OnnxError, match="sha256"):
        Drawing(folder)
    (folder / name).unlink()
    with pytest.raises(OnnxError, match="cannot be read"):
        Drawing(folder)
    with pytest.raises(SnapshotError, match="cannot be read"):
        t2i.pipeline(str(folder))


def test_a_sparse_file_of_3_gb_is_refused_unread(changed: Changed) -> None:
    folder = changed({})
    with (folder / TEXT).open("wb") as file:
        file.truncate(3 * 10**9)
    with pytest.raises(OnnxError, match="at most"):
        Drawing(folder)


def test_a_pipe_is_not_waited_for(changed: Changed) -> None:
    folder = changed({})
    (folder / TEXT).unlink()
    os.mkfifo(folder / TEXT)
    with pytest.raises(OnnxError, match="must be a file"):
        Drawing(folder)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("format", 2),
        ("format", "1"),
        ("model", {}),
        ("files", {}),
        ("files", {**dict.fromkeys(NEEDED, "0"), TEXT: 3}),
        ("resolution", 10**9),
        ("resolution", True),
        ("noise", [{"kind": "normal", "shape": [10**9]}]),
        ("noise", [{"kind": "normal", "shape": [4096, 4096, 2]}]),
        ("noise", [{"kind": "__init__", "shape": [2]}]),
        ("noise", [{"kind": "normal", "shape": [-1]}]),
        ("options", None),
    ],
)
def test_a_record_of_another_form_is_refused(changed: Changed, part: str, value: object) -> None:
    folder = changed({})
    record = json.loads((folder / RECORD).read_text())
    (folder / RECORD).write_text(json.dumps({**record, part: value}))
    with pytest.raises(OnnxError, match=RECORD):
        Drawing(folder)


@pytest.mark.parametrize(
    "part",
    [
        {"post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "x", "type_id": 0}}]}},
        {"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "[UNK]"}},
        {"model": {}},
    ],
)
def test_a_tokenizer_that_cannot_read_is_refused(changed: Changed, part: dict[str, object]) -> None:
    """The first panics in Rust when it is used, which is no Exception."""
    post = part.get("post_processor")
    if isinstance(post, dict):
        post |= {"pair": [{"Sequence": {"id": "A", "type_id": 0}}], "special_tokens": {}}
    content = json.dumps({**json.loads(tiny_tokenizer().to_str()), **part}).encode()
    with pytest.raises(OnnxError, match="The tokenizer cannot be read"):
        Drawing(changed({TOKENIZER: content}))


def test_padding_and_overlaps_of_a_tokenizer_are_not_used(changed: Changed, tiny: Path) -> None:
    told = json.loads(tiny_tokenizer().to_str())
    told["padding"] = {"strategy": {"Fixed": 10**9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 0}
    told["padding"] |= {"pad_type_id": 0, "pad_token": "[PAD]"}
    told["truncation"]["stride"] = 10**6
    folder, prompt = changed({TOKENIZER: json.dumps(told).encode()}), "a red heart and " * 9
    assert Drawing(folder).reader.ids(prompt) == Drawing(tiny).reader.ids(prompt)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"[" * 100_000, b"\xff", b" " * 1_000_001])
def test_a_record_that_is_no_object_is_refused(changed: Changed, content: bytes) -> None:
    folder = changed({})
    (folder / RECORD).write_bytes(content)
    with pytest.raises(OnnxError, match=RECORD):
        Drawing(folder)


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    for name in ("missing", "a\0b", "x" * 5000):
        with pytest.raises(OnnxError, match="must be a folder"):
            Drawing(tmp_path / name)


def test_graphs_that_do_not_fit_each_other_are_refused_when_they_run(changed: Changed) -> None:
    drawing = Drawing(changed({GENERATOR: tiny_text()}))
    with pytest.raises(OnnxError, match=r"cannot run.*Export the model again"):
        drawing.draw(["a red heart"], [1])


def test_a_picture_that_is_not_finite_is_refused(changed: Changed) -> None:
    model = onnx.load_from_string(tiny_generator())
    matrix = np.frombuffer(model.graph.initializer[0].raw_data, np.float32).copy()
    matrix[:] = np.nan
    model.graph.initializer[0].raw_data = matrix.tobytes()
    with pytest.raises(OnnxError, match="not finite"):
        Drawing(changed({GENERATOR: model.SerializeToString()})).draw(["a red heart"], [1])


@given(st.binary(max_size=200), st.integers(0, 3000), st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_refused(content: bytes, place: int, byte: int) -> None:
    real = bytearray(tiny_generator()[:4000])
    real[place] = byte
    for graph in (content, bytes(real)):
        try:
            check_graph(graph, "graph.onnx")
        except OnnxError:
            continue


def test_deep_nesting_is_refused() -> None:
    message = b""
    for _ in range(40):  # graph in an attribute of a node of a graph
        for field in (0x32, 0x2A, 0x0A):
            message = bytes([field]) + varint(len(message)) + message
    with pytest.raises(OnnxError, match="deep"):
        check_graph(b"\x3a" + varint(len(message)) + message, "graph.onnx")


def varint(number: int) -> bytes:
    groups = []
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*groups, number])
