"""KID, the kernel distance of features: unbiased at any number of pictures (Binkowski et al., ICLR 2018)."""

from __future__ import annotations

from pathlib import Path
from typing import final

import numpy as np
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

FEWEST = 3  # a jackknife leaves one out, and the others must still form a pair


@final
class KID(FeatureEvaluator):
    """Squared maximum mean discrepancy of features under the kernel (x·y / d + 1)³.

    By default every pair counts once: this has the same expectation as the usual average over random subsets, less
    noise, and no seed; the standard error is the jackknife's. `subsets` selects the usual average, as torch-fidelity
    and clean-fid compute it.
    """

    def __init__(
        self,
        *,
        protocol: str = DEFAULT_PROTOCOL,
        extractor_weights: str | Path | None = None,
        subsets: int = 0,
        subset_size: int = 1000,
        seed: int = 2020,
    ) -> None:
        """
        Args:
            protocol, extractor_weights: as in `FeatureEvaluator`.
            subsets: how many random subsets to average over; 0 counts all pairs, and papers use 100.
            subset_size: pictures of each kind in a subset.
            seed: of the random subsets; the default, and the order of drawing, are torch-fidelity's.

        Raises:
            UnknownNameError, OfflineError, IntegrityError, InvalidInputError: as `FeatureEvaluator`, or a number is
                too low.
        """
        if subsets < 0 or subset_size < 2:
            raise InvalidInputError(
                f"kid needs subsets of at least 0 and subset_size of at least 2, got {subsets} and {subset_size}."
            )
        how = f"{subsets} subsets of {subset_size}, seed {seed}" if subsets else "all pairs"
        super().__init__("kid", protocol, extractor_weights, estimator=how)
        self._real, self._fake = self.keep("real", Rows()), self.keep("fake", Rows())
        self._subsets, self._subset_size, self._seed = subsets, subset_size, seed
        self.least_pictures = max(FEWEST, subset_size) if subsets else FEWEST

    def add_features(self, seen: Activations, batch: Batch) -> None:
        (self._real if batch.real else self._fake).add(seen.features)

    def compute(self) -> dict[str, Score]:
        """ "kid", lower is better; about 0, sometimes below, for pictures of one distribution.

        Raises:
            InvalidInputError: fewer than 3 pictures of a kind were seen, or fewer than a subset holds.
        """
        real, fake = self._real.all(), self._fake.all()
        counts = {"real": len(real), "generated": len(fake)}
        if self._subsets:
            self.require(self.least_pictures, counts, "Evaluate more pictures, or set a smaller subset_size.")
            value, error = self._over_subsets(fake, real)
        else:
            self.require(self.least_pictures, counts, "Evaluate more pictures.")
            value, error = kernel_distance(fake, real)
        protocol = self.protocol(n_real=len(real), n_fake=len(fake))
        return {"kid": Score(value, protocol, standard_error=error, higher_is_better=False)}

    def _over_subsets(self, fake: Tensor, real: Tensor) -> tuple[float, float]:
        stream = np.random.RandomState(self._seed)
        values = []
        for _ in range(self._subsets):
            some = [rows[stream.choice(len(rows), self._subset_size, replace=False)] for rows in (fake, real)]
            values.append(kernel_distance(*some)[0])
        return float(np.mean(values)), float(np.std(values) / len(values) ** 0.5)


def kernel_distance(x: Float[Tensor, "m d"], y: Float[Tensor, "n d"]) -> tuple[float, float]:
    """The unbiased estimate of MMD² of two sets of vectors, and its jackknife standard error (nan below 3 vectors).

    Gretton et al. 2012, eq. 3; sums in float64.
    """
    m, n = len(x), len(y)
    # The similarity of each vector to all others of its set, and to all of the other set.
    xx, yy = _similarities(x, x) - _own(x), _similarities(y, y) - _own(y)
    xy, yx = _similarities(x, y), _similarities(y, x)

    def estimate(within_x: Tensor, within_y: Tensor, across: Tensor, m: int, n: int) -> Tensor:
        return within_x / (m * (m - 1)) + within_y / (n * (n - 1)) - 2 * across / (m * n)

    value = estimate(xx.sum(), yy.sum(), xy.sum(), m, n)
    if min(m, n) < FEWEST:
        return float(value), float("nan")
    without_x = estimate(xx.sum() - 2 * xx, yy.sum(), xy.sum() - xy, m - 1, n)
    without_y = estimate(xx.sum(), yy.sum() - 2 * yy, yx.sum() - yx, m, n - 1)
    variance = sum((k - 1) * each.var(correction=0) for k, each in ((m, without_x), (n, without_y)))
    return float(value), float(variance) ** 0.5


def _similarities(x: Float[Tensor, "m d"], y: Float[Tensor, "n d"], at_once: int = 1024) -> Float64[Tensor, m]:
    """For each row of x, the sum of its kernel with all rows of y."""
    sums = torch.zeros(len(x), dtype=torch.float64)
    for start in range(0, len(x), at_once):
        rows = x[start : start + at_once].double()
        for first in range(0, len(y), at_once):
            products = rows @ y[first : first + at_once].double().T
            sums[start : start + at_once] += _kernel(products, x.shape[1]).sum(dim=1)
    return sums


def _own(x: Float[Tensor, "m d"]) -> Float64[Tensor, m]:
    """The kernel of each row with itself."""
    return _kernel(x.double().square().sum(dim=1), x.shape[1])


def _kernel(products: Tensor, dim: int) -> Tensor:
    return (products / dim + 1) ** 3
