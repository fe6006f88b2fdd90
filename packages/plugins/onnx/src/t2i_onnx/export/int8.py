"""Weights of matrix products as 8-bit numbers: a quarter of the size, at a cost that is measured."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from t2i_onnx.export.graphs import quiet

OPERATORS = ["MatMul", "Gemm", "Gather"]  # not Conv, whose 8-bit form is slower than float32 on most CPUs


def quantised(content: bytes) -> bytes:
    """The graph with 8-bit weights, one scale per output; activations are rounded to 8 bits as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with TemporaryDirectory() as scratch, quiet():
        path = Path(scratch) / "graph.onnx"
        quantize_dynamic(
            onnx.load_from_string(content),
            path,
            op_types_to_quantize=OPERATORS,
            per_channel=True,
            reduce_range=False,
            weight_type=QuantType.QInt8,
        )
        return path.read_bytes()
