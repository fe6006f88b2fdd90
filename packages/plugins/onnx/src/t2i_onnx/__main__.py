"""`python -m t2i_onnx`."""

from __future__ import annotations

from t2i_onnx.program import main

main()
