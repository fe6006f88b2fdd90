"""KID, the kernel distance of features: unbiased at any number of pictures (Binkowski et al., ICLR 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i.evaluator import Evaluator, Score
from t2i_metrics.protocols import DEFAULT_PROTOCOL
from t2i_metrics.real_and_fake import RealAndFake

FEWEST = 3  # a jackknife leaves one out, and two make a pair


@final
class KID(Evaluator):
    """Squared maximum mean discrepancy of features under the kernel (x·y / d + 1)³.

    By default every pair counts once, which has the expectation of the usual average over random subsets, less noise
    and no seed; the standard error is the jackknife's. With `subsets`, the usual average (torch-fidelity, clean-fid).
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
            protocol, extractor_weights: as in `Reader`.
            subsets: average over that many random subsets, 0 for all pairs; the literature has 100.
            subset_size: pictures of each kind in one.
            seed: draws them; torch-fidelity's by default, in whose order pictures are drawn.

        Raises:
            UnknownNameError, OfflineError, IntegrityError, InvalidInputError: as `Reader` does, or a number is too low.
        """
        if subsets < 0 or subset_size < 2:
            raise InvalidInputError(
                f"Subsets are 0 or more, each of at least 2 pictures, but subsets={subsets} and "
                f"subset_size={subset_size} came."
            )
        how = f"{subsets} subsets of {subset_size}, seed {seed}" if subsets else "all pairs"
        self._seen = RealAndFake("kid", protocol, extractor_weights, estimator=how)
        self._subsets, self._subset_size, self._seed = subsets, subset_size, seed

    def update(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        captions: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        real: bool = False,
    ) -> None:
        """Take in b pictures; captions and groups are not read."""
        self._seen.read(images, real)

    def compute(self) -> dict[str, Score]:
        """ "kid", lower is better; about 0, and at times below, for pictures of one distribution.

        Raises:
            InvalidInputError: fewer than 3 pictures of a kind were seen, or fewer than a subset holds.
        """
        need = max(FEWEST, self._subset_size if self._subsets else 0)
        real, fake = self._seen.rows(need, f"Give it more pictures{', or smaller subsets' if self._subsets else ''}.")
        value, error = self._over_subsets(fake, real) if self._subsets else kernel_distance(fake, real)
        return {"kid": Score(value, self._seen.protocol(), standard_error=error, higher_is_better=False)}

    def state(self) -> dict[str, Tensor]:
        """Features of all pictures seen."""
        return self._seen.state()

    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Append another's features; see `Evaluator.merge`."""
        self._seen.merge(state)

    def reset(self) -> None:
        """Forget everything seen."""
        self._seen.reset()

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
    xx, yy = _similarities(x, x) - _own(x), _similarities(y, y) - _own(y)  # each vector's, to the others of its set
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
    """Each row of x's kernel to all rows of y, summed."""
    sums = torch.zeros(len(x), dtype=torch.float64)
    for start in range(0, len(x), at_once):
        rows = x[start : start + at_once].double()
        for first in range(0, len(y), at_once):
            products = rows @ y[first : first + at_once].double().T
            sums[start : start + at_once] += _kernel(products, x.shape[1]).sum(dim=1)
    return sums


def _own(x: Float[Tensor, "m d"]) -> Float64[Tensor, m]:
    return _kernel(x.double().square().sum(dim=1), x.shape[1])


def _kernel(products: Tensor, dim: int) -> Tensor:
    return (products / dim + 1) ** 3
