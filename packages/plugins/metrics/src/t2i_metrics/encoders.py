"""Image-text encoders by name: the bundled one, or any CLIP."""

from __future__ import annotations

from t2i.errors import UnknownNameError
from t2i_metrics.bundled_encoder import BundledEncoder
from t2i_metrics.clip import CLIP
from t2i_metrics.image_text import BUNDLED, ImageTextEncoder
from t2i_metrics.own_judges import weights_of


def create_image_text_encoder(name: str) -> ImageTextEncoder:
    """The encoder called "judge" (the bundled one), "judge:DATA" (trained on this data by `t2i judge train`),
    "clip:org/name[@revision]" or "clip:folder".

    Raises:
        UnknownNameError: there is no such encoder.
        OfflineError: its weights are not on this machine and cannot be fetched.
        InvalidInputError: what follows "clip:" is neither a repository's name nor a folder.
        SnapshotError, IntegrityError: its weights cannot be read, or are not the published ones.
    """
    if name == BUNDLED:
        return BundledEncoder()
    kind, _, reference = name.partition(":")
    if kind == BUNDLED and reference:
        judge, weights = weights_of(reference)
        return BundledEncoder(weights, judge.data, f"{BUNDLED}:{judge.name}")
    if kind == "clip" and reference:
        return CLIP(reference)
    raise UnknownNameError(
        f"An image-text encoder is called '{BUNDLED}', '{BUNDLED}:DATA' (see `t2i judge train`), "
        f"'clip:org/name[@revision]' or 'clip:folder', got {name!r}."
    )
