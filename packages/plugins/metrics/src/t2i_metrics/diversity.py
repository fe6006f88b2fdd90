"""Does one prompt give one picture, or many? The feature distance between pictures of the same caption."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i.evaluator import Evaluator, Score
from t2i_metrics.bank import Bank
from t2i_metrics.protocols import DEFAULT_PROTOCOL
from t2i_metrics.reader import Reader


@final
class Diversity(Evaluator):
    """Mean Euclidean distance between two generated pictures of one prompt with different seeds, averaged over prompts.

    0 is a model that ignores its noise. Only comparable under one protocol: distances have the unit of the features.
    """

    def __init__(self, *, protocol: str = DEFAULT_PROTOCOL, extractor_weights: str | Path | None = None) -> None:
        """
        Args:
            protocol, extractor_weights: as in `Reader`.

        Raises:
            UnknownNameError, OfflineError, IntegrityError, InvalidInputError: as `Reader` does.
        """
        self._reader = Reader("diversity", protocol, extractor_weights)
        self._features, self._captions = Bank(), torch.empty(0, dtype=torch.int64)

    def update(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        captions: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        real: bool = False,
    ) -> None:
        """Take in b generated pictures and the captions they were drawn from; real ones are not looked at.

        Raises:
            InvalidInputError: see `Evaluator.update`, or there is not one caption a picture.
        """
        if real:
            return
        if captions is None or len(captions) != len(images):
            raise InvalidInputError(
                f"diversity compares pictures of one caption, but {len(captions or ())} captions came with "
                f"{len(images)} pictures. Give one a picture."
            )
        self._features.add(self._reader(images).features)
        self._captions = torch.cat([self._captions, torch.tensor([_number(caption) for caption in captions])])

    def compute(self) -> dict[str, Score]:
        """ "diversity", at least 0; higher is better.

        Raises:
            InvalidInputError: no caption was drawn twice.
        """
        numbers, counts = self._captions.unique(return_counts=True)  # type: ignore[no-untyped-call]
        if not len(counts) or counts.max() < 2:
            raise InvalidInputError(
                f"diversity needs at least 2 pictures of a caption, but {len(self._captions)} pictures of "
                f"{len(numbers)} captions came. Draw more pictures than there are captions."
            )
        features = self._features.rows()
        distances = torch.stack(
            [torch.pdist(features[self._captions == number]).mean() for number in numbers[counts > 1]]
        ).double()
        protocol = self._reader.protocol(n_fake=int(counts[counts > 1].sum()), n_captions=len(distances))
        error = float(distances.std()) / len(distances) ** 0.5 if len(distances) > 1 else None
        return {"diversity": Score(float(distances.mean()), protocol, standard_error=error)}

    def state(self) -> dict[str, Tensor]:
        """Features of all generated pictures seen, and a number for each one's caption."""
        return {**self._reader.state(), "features": self._features.rows(), "captions": self._captions}

    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Append another's features; see `Evaluator.merge`."""
        self._reader.merge(state)
        self._features.add(state["features"])
        self._captions = torch.cat([self._captions, state["captions"]])

    def reset(self) -> None:
        """Forget everything seen."""
        self._reader.reset()
        self._features, self._captions = Bank(), torch.empty(0, dtype=torch.int64)


def _number(caption: str) -> int:
    """The same 64 bits for the same caption, in every process."""
    digest = hashlib.blake2b(" ".join(caption.split()).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
