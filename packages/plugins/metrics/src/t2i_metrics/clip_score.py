"""CLIP score: the cosine of picture and caption (Hessel et al. 2021), without their factor of 2.5."""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor

from t2i_metrics.caption_agreement import CaptionAgreement
from t2i_metrics.image_text import ImageTextEncoder

DEFAULT_ENCODER = "clip:openai/clip-vit-base-patch32"


@final
class CLIPScore(CaptionAgreement):
    """100 times the mean cosine of picture and caption, where a negative cosine counts as 0; from 0 to 100.

    Choose a CLIP that took no part in training or guiding the model: pictures of a model trained or guided by a CLIP
    can score well with it although nobody else recognises them.
    """

    def __init__(self, encoder: str | ImageTextEncoder = DEFAULT_ENCODER) -> None:
        """As `CaptionAgreement`, with a default encoder."""
        super().__init__("clip_score", encoder)

    def values(self, cosines: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return 100 * cosines.clamp(min=0)
