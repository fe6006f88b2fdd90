"""Diversity: does one prompt give many pictures? The feature distance between pictures of the same caption."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar, final

import torch

from t2i.errors import InvalidInputError
from t2i.evaluator import Score
from t2i_metrics.accumulating_evaluator import Batch
from t2i_metrics.accumulators import Rows
from t2i_metrics.extractor import Activations
from t2i_metrics.feature_evaluator import FeatureEvaluator
from t2i_metrics.protocols import DEFAULT_PROTOCOL


@final
class Diversity(FeatureEvaluator):
    """Mean Euclidean distance between two generated pictures of one caption, averaged over captions.

    A model that ignores its noise scores 0. Values can only be compared under one protocol,
    because their unit is that of the features.
    """

    needs_captions: ClassVar[bool] = True

    def __init__(self, *, protocol: str = DEFAULT_PROTOCOL, extractor_weights: str | Path | None = None) -> None:
        """
        Args:
            protocol, extractor_weights: as in `FeatureEvaluator`.

        Raises:
            UnknownNameError, OfflineError, IntegrityError, InvalidInputError: as `FeatureEvaluator`.
        """
        super().__init__("diversity", protocol, extractor_weights)
        self.least_pictures = 2
        self._fake, self._real = self._rows("fake"), self._rows("real")

    def add_features(self, seen: Activations, batch: Batch) -> None:
        assert batch.captions is not None  # captions are required
        features, captions = self._real if batch.real else self._fake
        features.add(seen.features)
        captions.add(torch.tensor([_number(caption) for caption in batch.captions]))

    def compute(self) -> dict[str, Score]:
        """ "diversity", at least 0; higher is better. And "diversity_ceiling", that of the real pictures, if several
        of one caption were seen.

        Raises:
            InvalidInputError: no caption was drawn twice.
        """
        score = self._score(*self._fake, "n_fake")
        if score is None:
            captions = self._fake[1].all()
            raise InvalidInputError(
                f"diversity needs at least 2 pictures of one caption, got {len(captions)} pictures of "
                f"{len(set(captions.tolist()))} captions. Draw more pictures than there are captions."
            )
        ceiling = self._score(*self._real, "n_real")
        return {"diversity": score} | ({"diversity_ceiling": ceiling} if ceiling else {})

    def _rows(self, name: str) -> tuple[Rows, Rows]:
        """Features, and the numbers of their captions."""
        numbers = Rows(empty=torch.empty(0, dtype=torch.int64))
        return self.keep(f"{name}_features", Rows()), self.keep(f"{name}_captions", numbers)

    def _score(self, features: Rows, captions: Rows, count: str) -> Score | None:
        """The mean over all captions with at least two pictures; None if there is none."""
        rows, of = features.all(), captions.all()
        numbers, counts = of.unique(return_counts=True)  # type: ignore[no-untyped-call]
        several = numbers[counts > 1]
        if not len(several):
            return None
        distances = torch.stack([torch.pdist(rows[of == number]).mean() for number in several]).double()
        protocol = self.protocol(**{count: int(counts[counts > 1].sum())}, n_captions=len(several))
        error = float(distances.std()) / len(several) ** 0.5 if len(several) > 1 else None
        return Score(float(distances.mean()), protocol, standard_error=error)


def _number(caption: str) -> int:
    """64 bits of a hash, the same in every process."""
    digest = hashlib.blake2b(" ".join(caption.split()).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
