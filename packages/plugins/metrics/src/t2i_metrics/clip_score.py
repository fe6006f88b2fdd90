"""CLIP score: the cosine of picture and caption (Hessel et al. 2021), without their factor of 2.5."""

from __future__ import annotations

from typing import ClassVar, final

from t2i.evaluator import Score
from t2i_metrics.caption_evaluator import CaptionedVectors, CaptionEvaluator
from t2i_metrics.image_text import ImageTextEncoder

DEFAULT_ENCODER = "clip:openai/clip-vit-base-patch32"
FEWEST = 2  # a standard error needs two


@final
class CLIPScore(CaptionEvaluator):
    """100 times the mean cosine of picture and caption, where a negative cosine counts as 0; from 0 to 100.

    Choose a CLIP that took no part in training or guiding the model: pictures of a model trained or guided by a CLIP
    can score well with it although nobody else recognises them.
    """

    reads_groups: ClassVar[bool] = False

    def __init__(self, encoder: str | ImageTextEncoder = DEFAULT_ENCODER) -> None:
        """
        Args:
            encoder: "clip:org/name[@revision]", "clip:folder", or an encoder of your own.

        Raises:
            OfflineError: the CLIP is not on this machine and the Hub cannot be reached.
            InvalidInputError, UnknownNameError, SnapshotError: as `create_image_text_encoder`.
        """
        super().__init__("clip_score", encoder)
        self.least_pictures = FEWEST

    def compute(self) -> dict[str, Score]:
        """ "clip_score"; and "clip_score_ceiling", the score of the real pictures, if at least two were seen.

        Raises:
            InvalidInputError: fewer than two generated pictures were seen.
        """
        self.require(self.least_pictures, {"generated": len(self.fake)}, "Draw more.")
        scores = {"clip_score": self._score(self.fake, "n_fake")}
        if len(self.real) >= FEWEST:
            scores["clip_score_ceiling"] = self._score(self.real, "n_real")
        return scores

    def _score(self, seen: CaptionedVectors, count: str) -> Score:
        distinct = sorted(set(seen.captions))
        place = {caption: position for position, caption in enumerate(distinct)}
        text = self.encoder.captions(distinct)[[place[caption] for caption in seen.captions]]
        each = 100 * (seen.vectors() * text).sum(1).clamp(min=0).double()
        protocol = self.protocol(**{count: len(seen)})
        return Score(float(each.mean()), protocol, standard_error=float(each.std() / len(each) ** 0.5))
