"""Weights in the layout of transformers: one model.safetensors, or its shards. Imports no torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

from t2i.errors import SnapshotError
from t2i.files import sha256_of
from t2i.hub.layout import WEIGHTS

SHARDS = "model-*-of-*.safetensors"
WEIGHT_FILES = (WEIGHTS, SHARDS)
"""Patterns: neither pickles nor other precisions, such as model.fp16.safetensors."""


def weights_sha256(folder: Path, what: str, remedy: str) -> str:
    """The sha256 of model.safetensors, or of the list of its shards' sha256s.

    Args:
        what: what needs them, such as "A text encoder", for the error.
        remedy: its last sentence.

    Raises:
        SnapshotError: there are none.
    """
    files = sorted(folder.glob(SHARDS)) or [folder / WEIGHTS]
    if not files[0].is_file():
        raise SnapshotError(
            f"{what} needs {WEIGHTS}, which {folder} does not have; pickled weights are never read. {remedy}"
        )
    digests = [sha256_of(file) for file in files]
    return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
