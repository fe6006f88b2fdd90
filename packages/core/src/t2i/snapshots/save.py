"""Writes a generator as a snapshot."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from safetensors.torch import save_file

from t2i.files import atomic_folder, sha256_of
from t2i.generator import Generator
from t2i.hub.layout import CARD, CONFIG, GOLDEN, WEIGHTS
from t2i.snapshots.card import render_card
from t2i.snapshots.golden import _golden
from t2i.snapshots.record import SnapshotConfig, SnapshotFacts


def save_snapshot(generator: Generator, folder: Path, facts: SnapshotFacts, dtype: torch.dtype = torch.float32) -> Path:
    """Write `generator` as a snapshot; `folder` must not exist, and appears complete or not at all.

    Args:
        dtype: the dtype of the weights on disk. torch.float16 halves the file; the golden pictures are then drawn
            with the rounded weights.

    Raises:
        OutputError: the folder already exists, or cannot be written.
    """
    with atomic_folder(folder) as scratch:
        tensors = {
            name: (tensor.to(dtype) if tensor.is_floating_point() else tensor).cpu().contiguous()
            for name, tensor in generator.state_dict().items()
        }
        if dtype != torch.float32:
            generator = copy.deepcopy(generator)
            generator.load_state_dict(tensors)
        save_file(tensors, scratch / WEIGHTS, metadata={"format": "pt"})
        save_file(_golden(generator), scratch / GOLDEN)
        config = SnapshotConfig(
            technique=generator.technique,
            config=generator.config.model_dump(mode="json"),
            facts=facts,
            weights_sha256=sha256_of(scratch / WEIGHTS),
        )
        (scratch / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
        (scratch / CARD).write_text(render_card(config), encoding="utf-8")
    return folder
