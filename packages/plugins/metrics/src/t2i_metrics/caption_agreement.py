"""The base of scores that average how well each picture agrees with its own caption."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, final

from jaxtyping import Float
from torch import Tensor

from t2i.evaluator import Score
from t2i_metrics.caption_evaluator import CaptionedVectors, CaptionEvaluator
from t2i_metrics.image_text import ImageTextEncoder

FEWEST = 2  # a standard error needs two


class CaptionAgreement(CaptionEvaluator):
    """The mean over pictures of a value of the cosine of picture and caption; a subclass writes `values`."""

    reads_groups: ClassVar[bool] = False

    def __init__(self, name: str, encoder: str | ImageTextEncoder) -> None:
        """
        Args:
            name: the evaluator's registered name.
            encoder: "clip:org/name[@revision]", "clip:folder", or an encoder of your own.

        Raises:
            OfflineError: the CLIP is not on this machine and the Hub cannot be reached.
            InvalidInputError, UnknownNameError, SnapshotError: as `create_image_text_encoder`.
        """
        super().__init__(name, encoder)
        self.least_pictures = FEWEST

    @abstractmethod
    def values(self, cosines: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Each picture's value, from the cosine of its vector and its caption's."""

    @final
    def compute(self) -> dict[str, Score]:
        """The score, named as the evaluator; and NAME_ceiling, that of the real pictures, if at least two were seen.

        Raises:
            InvalidInputError: fewer than two generated pictures were seen.
        """
        self.require(self.least_pictures, {"generated": len(self.fake)}, "Draw more.")
        scores = {self.name: self._score(self.fake, "n_fake")}
        if len(self.real) >= FEWEST:
            scores[f"{self.name}_ceiling"] = self._score(self.real, "n_real")
        return scores

    def _score(self, seen: CaptionedVectors, count: str) -> Score:
        distinct = sorted(set(seen.captions))
        place = {caption: position for position, caption in enumerate(distinct)}
        text = self.encoder.captions(distinct)[[place[caption] for caption in seen.captions]]
        each = self.values((seen.vectors() * text).sum(1)).double()
        protocol = self.protocol(**{count: len(seen)})
        return Score(float(each.mean()), protocol, standard_error=float(each.std() / len(each) ** 0.5))
