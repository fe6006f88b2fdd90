"""PickScore: which picture people would prefer for a caption (Kirstain et al., NeurIPS 2023)."""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor

from t2i_metrics.caption_agreement import CaptionAgreement
from t2i_metrics.image_text import ImageTextEncoder

DEFAULT_ENCODER = "clip:yuvalkirstain/PickScore_v1"


@final
class PickScore(CaptionAgreement):
    """The mean of a preference CLIP's scaled cosine of picture and caption.

    The CLIP was trained so that the difference of two pictures' values is the log odds that people choose the first
    (eq. 1 of the paper). Any CLIP can be given; the scale is its own, so values of two CLIPs are not comparable, and
    their protocols differ.
    """

    def __init__(self, encoder: str | ImageTextEncoder = DEFAULT_ENCODER) -> None:
        """As `CaptionAgreement`, with a default encoder."""
        super().__init__("pick_score", encoder)

    def values(self, cosines: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        return self.encoder.scale * cosines
