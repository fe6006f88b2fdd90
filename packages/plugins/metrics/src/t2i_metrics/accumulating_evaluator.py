"""The base of every evaluator here: input checks, and the update, state, merge and reset they share."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i.evaluator import Evaluator
from t2i_metrics.accumulators import Accumulator

TOLERANCE = 0.01  # rounding may put a pixel outside [-1, 1] by this much
A = TypeVar("A", bound=Accumulator)


@dataclass(frozen=True)
class Batch:
    """The checked arguments of `update`.

    Attributes:
        images: in [-1, 1].
        captions: one for each picture; None only for evaluators that do not need them.
        groups: one for each picture, or None.
        real: pictures of the dataset, not of a generator.
    """

    images: Float[Tensor, "b 3 h w"]
    captions: Sequence[str] | None
    groups: Sequence[str] | None
    real: bool


class AccumulatingEvaluator(Evaluator):
    """An evaluator whose memory is accumulators; a subclass writes `add` and `compute`."""

    needs_captions: ClassVar[bool] = False

    def __init__(self, name: str, settings: Mapping[str, str]) -> None:
        """
        Args:
            name: the evaluator's registered name; used in errors and states.
            settings: part of every score's protocol; only states with equal settings can be merged.
        """
        self.name = name
        self._settings = dict(settings)
        self._kept: dict[str, Accumulator] = {}

    @final
    def keep(self, name: str, accumulator: A) -> A:
        """Register an accumulator under the name it has in states; returns it."""
        self._kept[name] = accumulator
        return accumulator

    @abstractmethod
    def add(self, batch: Batch) -> None:
        """Put the pictures of a batch into the accumulators."""

    @final
    def update(
        self,
        images: Float[Tensor, "b 3 h w"],
        *,
        captions: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        real: bool = False,
    ) -> None:
        """Add b pictures; see `Evaluator.update`.

        Raises:
            InvalidInputError: the pictures are not finite RGB in [-1, 1], or captions or groups do not fit them.
        """
        check_images(images, self.name)
        self._check_texts("caption", captions, len(images))
        if groups is not None:
            self._check_texts("group", groups, len(images))
        self.add(Batch(images, captions, groups, real))

    @final
    def state(self) -> dict[str, Tensor]:
        """The settings, and everything in the accumulators."""
        kept = [accumulator.state(name) for name, accumulator in self._kept.items()]
        return {key: tensor for each in ({"settings": self._packed()}, *kept) for key, tensor in each.items()}

    @final
    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Add what another evaluator saw; see `Evaluator.merge`."""
        missing = sorted(self.state().keys() - state.keys())
        if missing:
            raise InvalidInputError(
                f"{self.name} can only merge states of its own kind, but this one lacks {', '.join(missing)}."
            )
        self._check_settings(state["settings"])
        for name, accumulator in self._kept.items():
            accumulator.merge(name, state)

    @final
    def reset(self) -> None:
        """Forget everything seen."""
        for accumulator in self._kept.values():
            accumulator.clear()

    def protocol(self, **counts: int | str) -> dict[str, str]:
        """The protocol of a score: the settings, and how many pictures were seen."""
        return {**self._settings, **{name: str(count) for name, count in counts.items()}}

    @final
    def require(self, need: int, counts: Mapping[str, int], advice: str) -> None:
        """Check that at least `need` pictures of each kind in `counts` were seen.

        Raises:
            InvalidInputError: there are fewer; ends in `advice`.
        """
        if min(counts.values()) < need:
            wanted = " and ".join(f"{need} {kind}" for kind in counts)
            found = " and ".join(str(count) for count in counts.values())
            raise InvalidInputError(f"{self.name!r} needs at least {wanted} pictures, got {found}. {advice}")

    def _check_texts(self, what: str, texts: Sequence[str] | None, count: int) -> None:
        if texts is None and not self.needs_captions:
            return
        if texts is None:
            raise InvalidInputError(
                f"{self.name!r} needs one {what} for each picture, got none. Evaluate on a dataset with captions."
            )
        empty = sum(not text.strip() for text in texts) if self.needs_captions else 0
        if len(texts) != count or empty:
            raise InvalidInputError(
                f"{self.name} needs one non-empty {what} for each picture, got {len(texts)} for {count} pictures, "
                f"{empty} of them empty."
            )

    def _packed(self) -> Tensor:
        return pack([self.name, self._settings])

    def _check_settings(self, packed: Tensor) -> None:
        try:
            name, theirs = unpack(packed)
        except (ValueError, TypeError):
            raise InvalidInputError(
                f"{self.name} can only merge states of its own kind, but the settings in this one cannot be read."
            ) from None
        if name != self.name:
            raise InvalidInputError(f"{self.name} can only merge states of its own kind, got one of {name}.")
        mine = self._settings
        different = [key for key in sorted({*mine, *theirs}) if mine.get(key) != theirs.get(key)]
        if different:
            parts = "; ".join(f"{key}: {mine.get(key)} and {theirs.get(key)}" for key in different)
            raise InvalidInputError(
                f"{self.name} can only merge states with its own settings, but these differ in {parts}."
            )


def pack(value: object) -> Tensor:
    """JSON as uint8, so that texts can be saved among tensors."""
    return torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)


def unpack(tensor: Tensor) -> Any:
    """The value that `pack` was given."""
    return json.loads(bytes(tensor.cpu().numpy()))


def check_images(images: Tensor, name: str) -> None:
    """Check that `images` can be evaluated by the evaluator called `name`.

    Raises:
        InvalidInputError: it is not a batch of finite RGB pictures in [-1, 1].
    """
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point() or not images.numel():
        raise InvalidInputError(
            f"{name} expects RGB pictures as floats [b, 3, h, w], got {images.dtype} of shape {list(images.shape)}. "
            f"Convert grey or transparent pictures to RGB first."
        )
    low, high = (float(end) for end in images.aminmax())
    if not (low >= -1 - TOLERANCE and high <= 1 + TOLERANCE):  # NaN fails too
        raise InvalidInputError(
            f"{name} expects finite pixels in [-1, 1], got {low:.3g} to {high:.3g}. NaN means that the model has "
            f"diverged; pixels from 0 to 255 must pass t2i.images.from_uint8 first."
        )
