"""Exports t2i's models as ONNX graphs, and draws with them without torch.

Drawing (`drawing`, `program` and what they import) needs numpy, onnxruntime and tokenizers; `artist`, `cli` and
`export` need t2i-core as well.
"""
