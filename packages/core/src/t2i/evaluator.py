"""The contract of evaluators: from real and generated pictures to Scores, each with the protocol it was made by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidInputError


@dataclass(frozen=True)
class Score:
    """A value that says how it was made.

    Attributes:
        value: the number itself.
        protocol: everything that fixes its unit, such as {"extractor": "inception-v3", "sha256": ...,
            "resize": "bilinear 299", "n_real": "2000", "n_fake": "2000", "split": "test", "seed": "0"}.
        standard_error: of `value`, in its unit, if the evaluator can estimate it.
        higher_is_better: whether a higher value is better.
        interval: the 95 % interval of `value`, if the evaluator has one better than 1.96 standard errors.
        caution: why the value should not be believed, as a sentence for whoever reads it; "" if nothing is known
            against it. It is no part of the protocol: scores compare with it or without.
    """

    value: float
    protocol: Mapping[str, str] = field(hash=False)
    standard_error: float | None = None
    higher_is_better: bool = True
    interval: tuple[float, float] | None = None
    caution: str = ""

    def __str__(self) -> str:
        """ "0.412 ± 0.013"."""
        error = f" ± {self.standard_error:.2g}" if self.standard_error is not None else ""
        return f"{self.value:.4g}{error}"

    def better_than(self, other: Score) -> bool:
        """Whether this score is better than `other`.

        Raises:
            InvalidInputError: the two were made by different protocols; says which parts differ.
        """
        mine, theirs = ({**score.protocol, "higher_is_better": str(score.higher_is_better)} for score in (self, other))
        different = [key for key in sorted({*mine, *theirs}) if mine.get(key) != theirs.get(key)]
        if different:
            parts = "; ".join(
                f"{key}: {mine.get(key, 'not said')} and {theirs.get(key, 'not said')}" for key in different
            )
            raise InvalidInputError(
                f"Scores compare only under one protocol, but these differ in {parts}. "
                f"Evaluate both again the same way."
            )
        return self.value > other.value if self.higher_is_better else self.value < other.value


class Evaluator(ABC):
    """Scores pictures that come in batches: call `update` for each batch, then `compute`.

    It knows nothing of processes: each process has its own evaluator, and one of them merges the states of the others.
    """

    @abstractmethod
    def update(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        captions: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        real: bool = False,
    ) -> None:
        """Take in b pictures in [-1, 1].

        Args:
            captions: what each picture shows; evaluators that need them read them with a text encoder of their own.
            groups: what each picture shows, coarser than a caption (a class); wrong captions come from another group.
            real: whether the pictures are the dataset's, not a generator's.

        Raises:
            InvalidInputError: the evaluator cannot read the pictures, or needs captions or groups.
        """

    @abstractmethod
    def compute(self) -> dict[str, Score]:
        """The scores of all pictures seen since the last `reset`, by name; "x_ceiling" and "x_chance" bound "x".

        Raises:
            InvalidInputError: fewer pictures were seen than the score needs.
        """

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Everything `compute` needs of the pictures seen since the last `reset`, to be saved or merged elsewhere."""

    @abstractmethod
    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Add what another evaluator of the same settings saw, as its `state` gave it.

        Raises:
            InvalidInputError: the state is of another kind of evaluator, or of one with other settings.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget everything seen."""
