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
        self.reads_real = False
        self.least_pictures = 2
        self._features = self.keep("features", Rows())
        self._captions = self.keep("captions", Rows(empty=torch.empty(0, dtype=torch.int64)))

    def add_features(self, seen: Activations, batch: Batch) -> None:
        assert batch.captions is not None  # captions are required
        self._features.add(seen.features)
        self._captions.add(torch.tensor([_number(caption) for caption in batch.captions]))

    def compute(self) -> dict[str, Score]:
        """ "diversity", at least 0; higher is better.

        Raises:
            InvalidInputError: no caption was drawn twice.
        """
        features, captions = self._features.all(), self._captions.all()
        numbers, counts = captions.unique(return_counts=True)  # type: ignore[no-untyped-call]
        if not len(counts) or counts.max() < 2:
            raise InvalidInputError(
                f"diversity needs at least 2 pictures of one caption, got {len(captions)} pictures of {len(numbers)} "
                f"captions. Draw more pictures than there are captions."
            )
        distances = torch.stack(
            [torch.pdist(features[captions == number]).mean() for number in numbers[counts > 1]]
        ).double()
        protocol = self.protocol(n_fake=int(counts[counts > 1].sum()), n_captions=len(distances))
        error = float(distances.std()) / len(distances) ** 0.5 if len(distances) > 1 else None
        return {"diversity": Score(float(distances.mean()), protocol, standard_error=error)}


def _number(caption: str) -> int:
    """64 bits of a hash, the same in every process."""
    digest = hashlib.blake2b(" ".join(caption.split()).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
