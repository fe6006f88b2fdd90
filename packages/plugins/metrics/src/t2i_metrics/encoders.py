"""Image-text encoders by name: the bundled judge, or any CLIP."""

from __future__ import annotations

from t2i.errors import UnknownNameError
from t2i_metrics.clip import CLIP
from t2i_metrics.image_text import JUDGE, ImageTextEncoder
from t2i_metrics.judge import Judge


def create_image_text_encoder(name: str) -> ImageTextEncoder:
    """The encoder "judge", "clip:org/name[@revision]" or "clip:folder".

    Judge a model only by an encoder that did not train it.

    Raises:
        UnknownNameError: it is neither.
        SnapshotError: its weights are not here, or not what they should be.
    """
    if name == JUDGE:
        return Judge()
    kind, _, reference = name.partition(":")
    if kind == "clip" and reference:
        return CLIP(reference)
    raise UnknownNameError(
        f"Pictures and captions are read by 'judge', 'clip:org/name[@revision]' or 'clip:folder', but {name!r} came."
    )
