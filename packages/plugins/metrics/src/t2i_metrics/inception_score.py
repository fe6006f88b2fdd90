"""Inception score: is each picture clearly of one class, and are all classes drawn (Salimans et al., NeurIPS 2016)?"""

from __future__ import annotations

from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i.evaluator import Score
from t2i_metrics.accumulating_evaluator import Batch
from t2i_metrics.accumulators import Rows
from t2i_metrics.extractor import Activations
from t2i_metrics.feature_evaluator import FeatureEvaluator
from t2i_metrics.protocols import DEFAULT_PROTOCOL


@final
class InceptionScore(FeatureEvaluator):
    """exp of the mean KL divergence between a picture's classes and the classes of all pictures, averaged over folds.

    It reads generated pictures only, and the extractor knows the classes of ImageNet only, so its value says little
    about emoji or birds. The protocol `tf` leaves out the bias of the last layer, as the original does.
    """

    def __init__(
        self,
        *,
        protocol: str = DEFAULT_PROTOCOL,
        extractor_weights: str | Path | None = None,
        folds: int = 10,
        seed: int = 2020,
    ) -> None:
        """
        Args:
            protocol, extractor_weights: as in `FeatureEvaluator`.
            folds: parts that are scored separately.
            seed: shuffles the pictures into folds; the default is torch-fidelity's.

        Raises:
            UnknownNameError, OfflineError, IntegrityError, InvalidInputError: as `FeatureEvaluator`, or folds < 1.
        """
        if folds < 1:
            raise InvalidInputError(f"'is' needs at least 1 fold, got folds={folds}.")
        super().__init__("is", protocol, extractor_weights, folds=folds, shuffle_seed=seed)
        self.reads_real = False
        self._logits = self.keep("logits", Rows())
        self._folds, self._seed = folds, seed
        self.least_pictures = 2 * folds

    def add_features(self, seen: Activations, batch: Batch) -> None:
        self._logits.add(seen.logits)

    def compute(self) -> dict[str, Score]:
        """ "is", between 1 and the number of classes; higher is better.

        Papers print ± the standard deviation of the folds: the standard error times the root of their number.

        Raises:
            InvalidInputError: a fold would hold fewer than two pictures.
        """
        logits = self._logits.all()
        advice = f"Draw two for each of {self._folds} folds, or set fewer folds."
        self.require(self.least_pictures, {"generated": len(logits)}, advice)
        scores = fold_scores(logits, self._folds, self._seed)
        error = float(np.std(scores, ddof=1)) / self._folds**0.5 if self._folds > 1 else None
        return {"is": Score(float(np.mean(scores)), self.protocol(n_fake=len(logits)), standard_error=error)}


def fold_scores(logits: Float[Tensor, "n c"], folds: int, seed: int) -> list[float]:
    """The score of each fold of pictures, after shuffling."""
    order = np.random.RandomState(seed).permutation(len(logits))
    log_p = logits[torch.from_numpy(order)].double().log_softmax(dim=1)
    scores = []
    for fold in range(folds):
        part = log_p[fold * len(log_p) // folds : (fold + 1) * len(log_p) // folds]
        mean = part.exp().mean(dim=0).log()
        scores.append(float((part.exp() * (part - mean)).sum(dim=1).mean().exp()))
    return scores
