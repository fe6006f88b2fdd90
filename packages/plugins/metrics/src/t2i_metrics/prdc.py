"""Precision, recall, density and coverage of features' neighbourhoods (Naeem et al., ICML 2020)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i.evaluator import Evaluator, Score
from t2i_metrics.protocols import DEFAULT_PROTOCOL
from t2i_metrics.real_and_fake import RealAndFake

DISTANCES_AT_ONCE = 2**22  # 32 MiB in float64, however many pictures


@final
class PRDC(Evaluator):
    """Do generated pictures look real (precision, density), and is every kind of real picture drawn (recall, coverage)?

    A picture's neighbourhood is the ball to its k-th nearest of its own kind. Precision and recall are those of
    Kynkäänniemi et al. 2019; density and coverage withstand outliers better.
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
            protocol, extractor_weights: as in `Reader`.
            neighbours: k; torch-fidelity's is 3.

        Raises:
            UnknownNameError, OfflineError, IntegrityError, InvalidInputError: as `Reader` does, or neighbours < 1.
        """
        if neighbours < 1:
            raise InvalidInputError(f"A neighbourhood has at least one neighbour, but neighbours={neighbours} came.")
        self._seen = RealAndFake("prdc", protocol, extractor_weights, neighbours=neighbours)
        self._neighbours = neighbours

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
        """ "precision", "recall" and "coverage" in [0, 1], and "density", at least 0; higher is better.

        Standard errors take the other kind's pictures as given.

        Raises:
            InvalidInputError: no more than k pictures of a kind were seen.
        """
        real, fake = self._seen.rows(self._neighbours + 1, "Give it more pictures, or fewer neighbours.")
        protocol = self._seen.protocol()
        return {
            name: Score(float(each.mean()), protocol, standard_error=float(each.std()) / len(each) ** 0.5)
            for name, each in neighbourhoods(real, fake, self._neighbours).items()
        }

    def state(self) -> dict[str, Tensor]:
        """Features of all pictures seen."""
        return self._seen.state()

    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Append another's features; see `Evaluator.merge`."""
        self._seen.merge(state)

    def reset(self) -> None:
        """Forget everything seen."""
        self._seen.reset()


def neighbourhoods(real: Float[Tensor, "m d"], fake: Float[Tensor, "n d"], k: int) -> dict[str, Float64[Tensor, each]]:
    """What each picture contributes, [m] or [n]; the means are precision, recall, density and coverage."""
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
    """Each vector's distance to its k-th nearest other one; the nearest of all is itself."""
    return torch.cat([distances.kthvalue(k + 1, dim=1).values for _, distances in _distances(x, x)])


def _distances(x: Float[Tensor, "m d"], y: Float[Tensor, "n d"]) -> Iterator[tuple[slice, Float64[Tensor, "c n"]]]:
    """Some rows of x after others, and their Euclidean distances to all of y."""
    y = y.double()
    step = max(1, DISTANCES_AT_ONCE // len(y))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        yield rows, torch.cdist(x[rows].double(), y)
