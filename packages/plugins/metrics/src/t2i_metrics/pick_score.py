"""PickScore: which picture people would prefer for a caption (Kirstain et al., NeurIPS 2023)."""

from __future__ import annotations

from typing import ClassVar, final

from t2i.evaluator import Score
from t2i_metrics.caption_evaluator import CaptionedVectors, CaptionEvaluator
from t2i_metrics.image_text import ImageTextEncoder

DEFAULT_ENCODER = "clip:yuvalkirstain/PickScore_v1"
FEWEST = 2  # a standard error needs two


@final
class PickScore(CaptionEvaluator):
    """The mean of a preference CLIP's scaled cosine of picture and caption; good pictures have about 20 to 24.

    The CLIP was trained so that the difference of two pictures' values is the log odds that people choose the first
    (eq. 1 of the paper). Any CLIP can be given; the scale is its own, so values of two CLIPs are not comparable, and
    their protocols differ.
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
        super().__init__("pick_score", encoder)
        self.least_pictures = FEWEST

    def compute(self) -> dict[str, Score]:
        """ "pick_score"; and "pick_score_ceiling", the score of the real pictures, if at least two were seen.

        Raises:
            InvalidInputError: fewer than two generated pictures were seen.
        """
        self.require(self.least_pictures, {"generated": len(self.fake)}, "Draw more.")
        scores = {"pick_score": self._score(self.fake, "n_fake")}
        if len(self.real) >= FEWEST:
            scores["pick_score_ceiling"] = self._score(self.real, "n_real")
        return scores

    def _score(self, seen: CaptionedVectors, count: str) -> Score:
        distinct = sorted(set(seen.captions))
        place = {caption: position for position, caption in enumerate(distinct)}
        text = self.encoder.captions(distinct)[[place[caption] for caption in seen.captions]]
        each = self.encoder.scale * (seen.vectors() * text).sum(1).double()
        protocol = self.protocol(**{count: len(seen)})
        return Score(float(each.mean()), protocol, standard_error=float(each.std() / len(each) ** 0.5))
