"""The settings of a run that fine-tunes a pipeline: `t2i train diffusers-lora --from MODEL`."""

from __future__ import annotations

from typing import Any

from t2i.drawing.opening import Opening
from t2i.registry.names import ModelName
from t2i_diffusers.artist import default_side
from t2i_diffusers.lora.base import open_base


def settings_from(name: ModelName, opening: Opening) -> dict[str, Any]:
    """Technique, base, text encoder and resolution, pinned to the commit and the weights that were found.

    Raises:
        SnapshotError, OfflineError, IntegrityError, InvalidInputError: the pipeline cannot be used or fine-tuned.
    """
    base = open_base(str(name), opening=opening)
    return {
        "technique": "diffusers-lora",
        "text_encoder": f"diffusers:{base.name}",
        "model": {"base": base.name, "base_sha256": base.sha256, "resolution": default_side(base.pipe)},
        "train": {"batch_size": 4, "steps": 1000, "ema_half_life_kimg": 0.0, "channels_last": False},
    }
