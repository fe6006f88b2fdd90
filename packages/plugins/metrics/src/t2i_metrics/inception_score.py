"""Inception score: sure of each picture, different over all of them (Salimans et al., NeurIPS 2016)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i.evaluator import Evaluator, Score
from t2i_metrics.bank import Bank
from t2i_metrics.protocols import DEFAULT_PROTOCOL
from t2i_metrics.reader import Reader


@final
class InceptionScore(Evaluator):
    """exp of the mean KL divergence of a picture's classes from all pictures' classes, averaged over folds.

    It looks at generated pictures only, and knows the extractor's ImageNet classes only: of emoji, or birds, it says
    little. `tf` leaves out the last layer's bias, as the original does.
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
            protocol, extractor_weights: as in `Reader`.
            folds: parts that are scored on their own.
            seed: shuffles pictures into them; torch-fidelity's by default.

        Raises:
            UnknownNameError, OfflineError, IntegrityError, InvalidInputError: as `Reader` does, or folds < 1.
        """
        if folds < 1:
            raise InvalidInputError(f"Pictures are scored in at least one fold, but folds={folds} came.")
        self._reader = Reader("is", protocol, extractor_weights, folds=folds, shuffle_seed=seed)
        self._logits = Bank()
        self._folds, self._seed = folds, seed

    def update(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        captions: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        real: bool = False,
    ) -> None:
        """Take in b generated pictures; real ones, captions and groups are not read."""
        if not real:
            self._logits.add(self._reader(images).logits)

    def compute(self) -> dict[str, Score]:
        """ "is", between 1 and the number of classes; higher is better.

        The ± of the literature is the folds' standard deviation: the standard error times the root of their number.

        Raises:
            InvalidInputError: a fold would hold fewer than two pictures.
        """
        logits = self._logits.rows()
        if len(logits) < 2 * self._folds:
            raise InvalidInputError(
                f"is needs at least {2 * self._folds} generated pictures, two in each of {self._folds} folds, but "
                f"{len(logits)} came. Draw more, or ask for fewer folds."
            )
        scores = fold_scores(logits, self._folds, self._seed)
        error = float(np.std(scores, ddof=1)) / self._folds**0.5 if self._folds > 1 else None
        return {"is": Score(float(np.mean(scores)), self._reader.protocol(n_fake=len(logits)), standard_error=error)}

    def state(self) -> dict[str, Tensor]:
        """Logits of all generated pictures seen."""
        return {**self._reader.state(), "logits": self._logits.rows()}

    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Append another's logits; see `Evaluator.merge`."""
        self._reader.merge(state)
        self._logits.add(state["logits"])

    def reset(self) -> None:
        """Forget everything seen."""
        self._reader.reset()
        self._logits = Bank()


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
