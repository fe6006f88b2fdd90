"""Precision, recall, density and coverage of features' neighbourhoods (Naeem et al., ICML 2020)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i.evaluator import Score
from t2i_metrics.accumulating_evaluator import Batch
from t2i_metrics.accumulators import Rows
from t2i_metrics.extractor import Activations
from t2i_metrics.feature_evaluator import FeatureEvaluator
from t2i_metrics.protocols import DEFAULT_PROTOCOL

DISTANCES_AT_ONCE = 2**22  # 32 MiB in float64, for any number of pictures


@final
class PRDC(FeatureEvaluator):
    """Do generated pictures look real (precision, density), and is every kind of real picture drawn (recall, coverage)?

    A picture's neighbourhood is the ball that reaches to its k-th nearest picture of its own kind. Precision and recall
    are those of Kynkäänniemi et al. 2019; density and coverage are less sensitive to outliers.
    """

    def __init__(
        self,
        *,
        protocol: str = DEFAULT_PROTOCOL,
        extractor_weights: str | Path | None = None,
        neighbours: int = 5,
    ) -> None:
        """
        Args:
            protocol, extractor_weights: as in `FeatureEvaluator`.
            neighbours: k; torch-fidelity's is 3.

        Raises:
            UnknownNameError, OfflineError, IntegrityError, InvalidInputError: as `FeatureEvaluator`, or neighbours < 1.
        """
        if neighbours < 1:
            raise InvalidInputError(f"prdc needs neighbours of at least 1, got {neighbours}.")
        super().__init__("prdc", protocol, extractor_weights, neighbours=neighbours)
        self._real, self._fake = self.keep("real", Rows()), self.keep("fake", Rows())
        self._neighbours = neighbours
        self.least_pictures = neighbours + 1

    def add_features(self, seen: Activations, batch: Batch) -> None:
        (self._real if batch.real else self._fake).add(seen.features)

    def compute(self) -> dict[str, Score]:
        """ "precision", "recall" and "coverage" in [0, 1], and "density", at least 0; higher is better.

        The standard error of each is over pictures of one kind, and takes those of the other kind as given.

        Raises:
            InvalidInputError: k or fewer pictures of a kind were seen.
        """
        real, fake = self._real.all(), self._fake.all()
        counts = {"real": len(real), "generated": len(fake)}
        self.require(self.least_pictures, counts, "Evaluate more pictures, or set fewer neighbours.")
        protocol = self.protocol(n_real=len(real), n_fake=len(fake))
        return {
            name: Score(float(each.mean()), protocol, standard_error=float(each.std()) / len(each) ** 0.5)
            for name, each in neighbourhoods(real, fake, self._neighbours).items()
        }


def neighbourhoods(real: Float[Tensor, "m d"], fake: Float[Tensor, "n d"], k: int) -> dict[str, Float64[Tensor, each]]:
    """Each picture's contribution: [n] to precision and density, [m] to recall and coverage, which are the means."""
    real_radii, fake_radii = _radii(real, k), _radii(fake, k)
    balls_around = torch.zeros(len(fake), dtype=torch.float64)
    recalled, covered = [], []
    for rows, distances in _distances(real, fake):
        inside = distances < real_radii[rows, None]
        balls_around += inside.sum(dim=0)
        recalled.append((distances < fake_radii).any(dim=1))
        covered.append(inside.any(dim=1))
    return {
        "precision": (balls_around > 0).double(),
        "recall": torch.cat(recalled).double(),
        "density": balls_around / k,
        "coverage": torch.cat(covered).double(),
    }


def _radii(x: Float[Tensor, "n d"], k: int) -> Float64[Tensor, n]:
    """The distance of each vector to its k-th nearest other vector; the nearest of all is itself."""
    return torch.cat([distances.kthvalue(k + 1, dim=1).values for _, distances in _distances(x, x)])


def _distances(x: Float[Tensor, "m d"], y: Float[Tensor, "n d"]) -> Iterator[tuple[slice, Float64[Tensor, "c n"]]]:
    """The Euclidean distances of all rows of x to all of y, a few rows of x at a time."""
    y = y.double()
    step = max(1, DISTANCES_AT_ONCE // len(y))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        yield rows, torch.cdist(x[rows].double(), y)
