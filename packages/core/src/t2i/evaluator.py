"""Judges: an Evaluator watches real and generated pictures and says Scores, each with the protocol it was made by."""

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
        standard_error: of `value`, in its unit, where the evaluator can estimate it.
        higher_is_better: which way is up.
        interval: the 95 % interval of `value`, where the evaluator has one better than 1.96 standard errors.
    """

    value: float
    protocol: Mapping[str, str] = field(hash=False)
    standard_error: float | None = None
    higher_is_better: bool = True
    interval: tuple[float, float] | None = None

    def __str__(self) -> str:
        """ "0.412 ± 0.013"."""
        error = f" ± {self.standard_error:.2g}" if self.standard_error is not None else ""
        return f"{self.value:.4g}{error}"

    def better_than(self, other: Score) -> bool:
        """Whether this score is the better one.

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
    """A streaming judge; call `update` as often as there are batches, then `compute`.

    It knows nothing of processes: each has its own, and one of them merges the states of the others.
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
            captions: what each shows, for judges that read text with an encoder of their own.
            groups: what each shows, coarser than a caption; distractors come from another group.
            real: pictures of the dataset, not of a generator.

        Raises:
            InvalidInputError: the pictures are not what this judge can read, or it needs captions or groups.
        """

    @abstractmethod
    def compute(self) -> dict[str, Score]:
        """The scores of everything seen since the last `reset`, by name; "x_ceiling" and "x_chance" are bounds of "x".

        Raises:
            InvalidInputError: fewer pictures were seen than the score needs.
        """

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Everything seen since the last `reset`, to be saved, or merged by another process."""

    @abstractmethod
    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Take in what an evaluator of the same settings saw; a fresh one becomes its equal.

        Raises:
            InvalidInputError: the state is another kind of evaluator's, or one of other settings.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget everything seen."""
