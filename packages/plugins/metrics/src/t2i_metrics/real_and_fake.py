"""What judges share that compare the features of real pictures with those of generated ones, as kid and prdc do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from jaxtyping import Float
from torch import Tensor

from t2i_metrics.bank import Bank
from t2i_metrics.reader import Reader, few


@final
class RealAndFake:
    """The eyes and the memory of one judge that compares the two kinds."""

    def __init__(self, judge: str, protocol: str, extractor_weights: str | Path | None, **settings: Any) -> None:
        """
        Args:
            judge, protocol, extractor_weights, settings: as in `Reader`.

        Raises:
            UnknownNameError, OfflineError, IntegrityError, InvalidInputError: as `Reader` does.
        """
        self._judge, self._reader = judge, Reader(judge, protocol, extractor_weights, **settings)
        self.reset()

    def read(self, images: Float[Tensor, "b 3 h w"], real: bool) -> None:
        """Take in b pictures of one kind.

        Raises:
            InvalidInputError: as `Reader` does.
        """
        (self._real if real else self._fake).add(self._reader(images).features)

    def rows(self, need: int, advice: str) -> tuple[Float[Tensor, "m d"], Float[Tensor, "n d"]]:
        """The features of all real and of all generated pictures seen.

        Raises:
            InvalidInputError: those are fewer than `need` of a kind; ends in `advice`.
        """
        counts = {"real": len(self._real), "generated": len(self._fake)}
        if min(counts.values()) < need:
            raise few(self._judge, need, counts, advice)
        return self._real.rows(), self._fake.rows()

    def protocol(self) -> dict[str, str]:
        """The protocol of a score of all pictures seen."""
        return self._reader.protocol(n_real=len(self._real), n_fake=len(self._fake))

    def state(self) -> dict[str, Tensor]:
        """The settings, and the features of all pictures seen."""
        return {**self._reader.state(), "real": self._real.rows(), "fake": self._fake.rows()}

    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Append what another saw; see `Evaluator.merge`."""
        self._reader.merge(state)
        self._real.add(state["real"])
        self._fake.add(state["fake"])

    def reset(self) -> None:
        """Forget everything seen."""
        self._reader.reset()
        self._real, self._fake = Bank(), Bank()
