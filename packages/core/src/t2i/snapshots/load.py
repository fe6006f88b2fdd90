"""Builds the generator of a snapshot and loads its weights."""

from __future__ import annotations

from typing import cast

import torch

from t2i.config import parse_config
from t2i.generator import Generator
from t2i.hub.layout import CONFIG, WEIGHTS
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, load_target
from t2i.snapshots.record import Snapshot
from t2i.snapshots.weights import load_weights


def load_generator(snapshot: Snapshot, device: torch.device | str = "cpu") -> Generator:
    """Build the snapshot's generator and load its weights; every key must match.

    Raises:
        UnknownNameError, PluginError: its technique is not installed or cannot be used.
        InvalidConfigError: its config has a field the technique does not know.
        SnapshotError: its tensors cannot be read, do not fit the config, or are not finite.
    """
    spec, _ = registry().get(ModelSpec, snapshot.config.technique)
    config = parse_config(load_target(spec.config), snapshot.config.config, f"{snapshot.folder / CONFIG}")
    technique = load_target(spec.target)
    generator = load_weights(lambda: cast(Generator, technique(config)), snapshot.folder / WEIGHTS)
    return generator.eval().requires_grad_(False).to(device)
