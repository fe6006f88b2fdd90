"""CLIP score: the cosine between a picture and its caption (Hessel et al. 2021), without their factor of 2.5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i.evaluator import Evaluator, Score
from t2i_metrics.captioned import Captioned, check_captioned, check_settings, text_tensor
from t2i_metrics.image_text import ImageTextEncoder, create_image_text_encoder

NAME = "CLIP score"


@final
class CLIPScore(Evaluator):
    """100 times the mean cosine of picture and caption, negative ones counted as 0; in [0, 100].

    Judge with another CLIP than the one the model was trained with, or drawn towards: a model may satisfy its own
    teacher with pictures nobody else would recognise. `compute` gives "clip_score" and, where real pictures were
    seen, "clip_score_ceiling", what the same CLIP makes of them.
    """

    def __init__(self, encoder: str | ImageTextEncoder = "clip:openai/clip-vit-base-patch32") -> None:
        """
        Args:
            encoder: "clip:org/name[@revision]", "clip:folder", or an encoder.

        Raises:
            OfflineError: the CLIP is not on this machine and the Hub cannot be reached.
            UnknownNameError, SnapshotError: as `create_image_text_encoder`.
        """
        self._encoder = create_image_text_encoder(encoder) if isinstance(encoder, str) else encoder
        self.reset()

    def update(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        captions: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        real: bool = False,
    ) -> None:
        captions = check_captioned(images, captions, NAME)
        seen = self._real if real else self._fake
        seen.add(self._encoder.images(images), captions, groups or captions)

    def compute(self) -> dict[str, Score]:
        if len(self._fake) < 2:
            raise InvalidInputError(f"A mean and its error need at least 2 pictures, but {len(self._fake)} were seen.")
        scores = {"clip_score": self._score(self._fake, "n_fake")}
        if len(self._real) >= 2:
            scores["clip_score_ceiling"] = self._score(self._real, "n_real")
        return scores

    def state(self) -> dict[str, Tensor]:
        return {"settings": text_tensor(self._settings()), **self._fake.state("fake"), **self._real.state("real")}

    def merge(self, state: Mapping[str, Tensor]) -> None:
        check_settings(state, self._settings(), self.state(), NAME)
        self._fake.merge("fake", state)
        self._real.merge("real", state)

    def reset(self) -> None:
        self._fake, self._real = Captioned(), Captioned()

    def _settings(self) -> dict[str, str]:
        return {"judge": NAME, "encoder": self._encoder.name, "sha256": self._encoder.sha256}

    def _score(self, seen: Captioned, count: str) -> Score:
        distinct = sorted(set(seen.captions))
        place = {caption: index for index, caption in enumerate(distinct)}
        text = self._encoder.captions(distinct)[[place[caption] for caption in seen.captions]]
        each = 100 * (seen.all_vectors() * text).sum(1).clamp(min=0).double()
        protocol = {**self._settings(), **self._encoder.protocol, count: str(len(seen))}
        return Score(float(each.mean()), protocol, standard_error=float(each.std() / len(each) ** 0.5))
