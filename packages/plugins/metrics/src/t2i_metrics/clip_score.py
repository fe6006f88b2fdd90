"""CLIP score: the cosine of picture and caption (Hessel et al. 2021), without their factor of 2.5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i.evaluator import Evaluator, Score
from t2i_metrics.captioned import Captioned, CaptionedReader
from t2i_metrics.image_text import ImageTextEncoder

DEFAULT_ENCODER = "clip:openai/clip-vit-base-patch32"
FEWEST = 2  # a mean with an error


@final
class CLIPScore(Evaluator):
    """100 times the mean cosine of picture and caption, each negative one counted as 0; 0 to 100.

    Judge by another CLIP than the one the model was trained with or drawn towards: a model may please its teacher with
    pictures nobody else would recognise.
    """

    def __init__(self, encoder: str | ImageTextEncoder = DEFAULT_ENCODER) -> None:
        """
        Args:
            encoder: "clip:org/name[@revision]", "clip:folder", or an encoder of your own.

        Raises:
            OfflineError: the CLIP is not on this machine and the Hub cannot be reached.
            InvalidInputError, UnknownNameError, SnapshotError: as `create_image_text_encoder`.
        """
        self._reader = CaptionedReader("clip_score", encoder)

    def update(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        captions: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        real: bool = False,
    ) -> None:
        """Take in b pictures with their captions; groups are not read."""
        self._reader.read(images, captions, None, real)

    def compute(self) -> dict[str, Score]:
        """ "clip_score", and "clip_score_ceiling" where real pictures were seen: what the same CLIP makes of those.

        Raises:
            InvalidInputError: fewer than two generated pictures were seen.
        """
        if len(self._reader.fake) < FEWEST:
            raise InvalidInputError(
                f"clip_score needs at least {FEWEST} generated pictures, but {len(self._reader.fake)} came."
            )
        scores = {"clip_score": self._score(self._reader.fake, "n_fake")}
        if len(self._reader.real) >= FEWEST:
            scores["clip_score_ceiling"] = self._score(self._reader.real, "n_real")
        return scores

    def state(self) -> dict[str, Tensor]:
        """Vector and caption of all pictures seen."""
        return self._reader.state()

    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Append another's; see `Evaluator.merge`."""
        self._reader.merge(state)

    def reset(self) -> None:
        """Forget everything seen."""
        self._reader.reset()

    def _score(self, seen: Captioned, count: str) -> Score:
        distinct = sorted(set(seen.captions))
        place = {caption: position for position, caption in enumerate(distinct)}
        text = self._reader.encoder.captions(distinct)[[place[caption] for caption in seen.captions]]
        each = 100 * (seen.rows() * text).sum(1).clamp(min=0).double()
        protocol = self._reader.protocol(**{count: len(seen)})
        return Score(float(each.mean()), protocol, standard_error=float(each.std() / len(each) ** 0.5))
