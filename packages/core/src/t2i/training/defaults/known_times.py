"""The times of steps that this machine has measured before, in t2i's cache."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from accelerate import Accelerator

from t2i.errors import OutputError
from t2i.files import cache_home, read_json, write_atomic
from t2i.training.settings import RunConfig

COSTLY = ("batch_size", "accumulate", "crop_margin", "precision", "channels_last", "compile", "deterministic")
"""Of the settings of `train`, those on which the time of a step depends."""


def known_time(config: RunConfig, accelerator: Accelerator) -> float | None:
    """Seconds of a step with these settings on this device, or None if it was not measured here."""
    try:
        found = read_json(_entry(config, accelerator))
    except (OSError, ValueError):  # missing, or no longer readable: it is measured again
        return None
    return found if isinstance(found, float) and 0 < found < float("inf") else None


def keep_time(config: RunConfig, accelerator: Accelerator, seconds: float) -> None:
    """Keep what was measured; does nothing where the cache cannot be written."""
    try:
        write_atomic(_entry(config, accelerator), json.dumps(seconds).encode())
    except OutputError:
        return


def _entry(config: RunConfig, accelerator: Accelerator) -> Path:
    device = accelerator.device
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{device.type}, {torch.get_num_threads()}"
    costly = [getattr(config.train, name) for name in COSTLY]
    key = json.dumps([config.technique, config.model, config.objective, costly, where, torch.__version__])
    return cache_home() / "step_times" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
