"""The contract of evaluators: from real and generated pictures to Scores, each with the protocol it was measured by."""

from __future__ import annotations

import hashlib
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from t2i.display import with_error
from t2i.errors import InvalidInputError

UNSAID = ("sha256", "versions")  # suffixes of the keys that a short protocol leaves out
DIGEST = re.compile(r",? *(sha256 )?\b[0-9a-f]{32,}\b")


@dataclass(frozen=True)
class Score:
    """A value with a record of how it was measured.

    Attributes:
        value: the number.
        protocol: everything the value depends on, such as {"extractor": "inception-v3", "sha256": ...,
            "resize": "bilinear 299", "n_real": "2000", "n_fake": "2000", "split": "test", "seed": "0"}.
        standard_error: of `value`, in its unit, if the evaluator can estimate it.
        higher_is_better: whether a higher value is better.
        interval: the 95 % interval of `value`, if the evaluator has a better one than ±1.96 standard errors.
        caution: why the value should not be trusted, as a sentence for the reader; "" if there is no known reason.
            It is not part of the protocol: scores can be compared with or without it.
    """

    value: float
    protocol: Mapping[str, str] = field(hash=False)
    standard_error: float | None = None
    higher_is_better: bool = True
    interval: tuple[float, float] | None = None
    caution: str = ""

    def __str__(self) -> str:
        """ "0.412 ± 0.013"."""
        return with_error(self.value, self.standard_error)

    @property
    def short_protocol(self) -> dict[str, str]:
        """The protocol without hashes and versions, and an "id" that is the same for equal protocols only."""
        whole = json.dumps(dict(self.protocol), sort_keys=True)
        said = {key: DIGEST.sub("", value) for key, value in self.protocol.items() if not key.endswith(UNSAID)}
        return {**said, "id": hashlib.sha256(whole.encode()).hexdigest()[:8]}

    def better_than(self, other: Score) -> bool:
        """Whether this score is better than `other`.

        Raises:
            InvalidInputError: the two have different protocols; the message says which parts differ.
        """
        mine, theirs = ({**score.protocol, "higher_is_better": str(score.higher_is_better)} for score in (self, other))
        different = [key for key in sorted({*mine, *theirs}) if mine.get(key) != theirs.get(key)]
        if different:
            parts = "; ".join(
                f"{key}: {mine.get(key, 'not stated')} and {theirs.get(key, 'not stated')}" for key in different
            )
            raise InvalidInputError(
                f"Scores can only be compared under the same protocol, but these differ in {parts}. "
                f"Evaluate both again with the same settings."
            )
        return self.value > other.value if self.higher_is_better else self.value < other.value


class Evaluator(ABC):
    """Scores pictures in batches: call `update` for each batch, then `compute`.

    It does not handle multiple processes: each process has its own evaluator, and one merges the others' states.

    Attributes:
        least_pictures: the fewest generated pictures from which `compute` can return a score; checked before any
            picture is drawn.
    """

    least_pictures: int = 1

    @abstractmethod
    def update(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        captions: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        real: bool = False,
    ) -> None:
        """Add b pictures in [-1, 1].

        Args:
            captions: what each picture shows; evaluators that need them encode them with their own text encoder.
            groups: what each picture shows, coarser than a caption (a class); wrong captions come from another group.
            real: whether the pictures are from the dataset rather than a generator.

        Raises:
            InvalidInputError: the pictures have the wrong format, or the evaluator needs captions or groups.
        """

    @abstractmethod
    def compute(self) -> dict[str, Score]:
        """The scores of all pictures seen since the last `reset`, by name; "x_ceiling" and "x_chance" bound "x".

        Raises:
            InvalidInputError: fewer pictures were seen than the score needs.
        """

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Everything `compute` needs from the pictures seen since the last `reset`, for saving or merging."""

    @abstractmethod
    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Add the `state` of another evaluator with the same settings.

        Raises:
            InvalidInputError: the state is from another kind of evaluator, or from one with other settings.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget everything seen."""
