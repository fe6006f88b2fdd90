"""The base of evaluators that compare image features: an extractor, a picture size, and accumulators."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i_metrics.accumulating_evaluator import AccumulatingEvaluator, Batch
from t2i_metrics.accumulators import Accumulator
from t2i_metrics.extractor import Activations, get_extractor


class FeatureEvaluator(AccumulatingEvaluator):
    """An evaluator of image features; a subclass writes `add_features` and `compute`.

    Attributes:
        extractor: makes the features; shared by all evaluators of the same protocol.
        size: of the pictures seen, which must be the same for all.
        reads_real: whether real pictures matter; if not, they are checked and ignored.
        needs_square: whether pictures must be square, because they are compared with a dataset's.
    """

    def __init__(self, name: str, protocol: str, extractor_weights: str | Path | None, **settings: Any) -> None:
        """
        Args:
            name: the evaluator's registered name.
            protocol: "effnet-lite0", "tf", "clean" or "torchvision-legacy"; docs/evaluation.md explains them.
            extractor_weights: your own copy of the network's weights, or other weights of the same network.
            settings: the evaluator's other settings; they become part of the protocol of its scores.

        Raises:
            UnknownNameError, OfflineError, IntegrityError, InvalidInputError: as `Extractor` does.
        """
        self.extractor = get_extractor(protocol, extractor_weights)
        super().__init__(
            name, {**self.extractor.identity, **{setting: str(value) for setting, value in settings.items()}}
        )
        self.size = self.keep("size", ImageSize(name))
        self.reads_real, self.needs_square = True, False

    @abstractmethod
    def add_features(self, seen: Activations, batch: Batch) -> None:
        """Add the network's outputs for a batch to the accumulators."""

    @final
    def add(self, batch: Batch) -> None:
        if batch.real and not self.reads_real:
            return
        height, width = batch.images.shape[2:]
        if self.needs_square and height != width:
            raise InvalidInputError(
                f"{self.name} compares with a dataset, whose pictures are square, got {in_words((height, width))}. "
                f"Crop the pictures."
            )
        self.size.check((height, width))
        self.add_features(self.extractor(batch.images), batch)
        self.size.value = (height, width)

    @final
    def protocol(self, **counts: int | str) -> dict[str, str]:
        """The protocol of a score: extractor, settings, size of the pictures, and how many were seen."""
        size = {"pictures": in_words(self.size.value)} if self.size.value else {}
        return super().protocol(**size, **counts)


@final
class ImageSize(Accumulator):
    """The one size, (height, width), that all pictures of an evaluator have.

    Attributes:
        value: None before the first picture.
        fixed: the size that is expected from the start, if any.
    """

    def __init__(self, name: str) -> None:
        """
        Args:
            name: the evaluator's, for errors.
        """
        self._name = name
        self.fixed: tuple[int, int] | None = None
        self.value: tuple[int, int] | None = None

    def fix(self, size: tuple[int, int] | None) -> None:
        """Expect `size`, also after `clear`; None accepts any size."""
        self.fixed = self.value = size

    def check(self, size: tuple[int, int]) -> None:
        """
        Raises:
            InvalidInputError: earlier pictures had another size.
        """
        if self.value not in (None, size):
            raise InvalidInputError(
                f"{self._name} needs all pictures, real and generated, in one size, got {in_words(size)} after "
                f"{in_words(self.value)}. Resize real pictures as they were resized for training."
            )

    def state(self, name: str) -> dict[str, Tensor]:
        return {name: torch.tensor(self.value or (), dtype=torch.int64)}

    def merge(self, name: str, state: Mapping[str, Tensor]) -> None:
        if len(state[name]):
            height, width = state[name].tolist()
            self.check((height, width))
            self.value = (height, width)

    def clear(self) -> None:
        self.value = self.fixed


def in_words(size: tuple[int, int] | None) -> str:
    """ "64x48" of height 48 and width 64."""
    return f"{size[1]}x{size[0]}" if size else "none"
