"""What every feature judge does first: check the pictures, take their features, remember under which settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor

from t2i.errors import InvalidInputError
from t2i_metrics.extractor import Activations, get_extractor
from t2i_metrics.protocols import DEFAULT_PROTOCOL

TOLERANCE = 0.01  # how far rounding may carry a pixel out of [-1, 1]


@final
class Reader:
    """The eyes of one judge."""

    def __init__(
        self, judge: str, protocol: str = DEFAULT_PROTOCOL, extractor_weights: str | Path | None = None, **settings: Any
    ) -> None:
        """
        Args:
            judge: whose eyes; in errors and states.
            protocol: "effnet-lite0", "tf", "clean" or "torchvision-legacy"; docs/evaluation.md tells them apart.
            extractor_weights: your own copy of the network's weights, or others.
            settings: the judge's other ones; they become part of the protocol of its scores.

        Raises:
            UnknownNameError, OfflineError, IntegrityError, InvalidInputError: as `Extractor` does.
        """
        self.extractor = get_extractor(protocol, extractor_weights)
        self.dim = self.extractor.protocol.dim
        self.size: tuple[int, int] | None = None
        self._judge = judge
        self._identity = {**self.extractor.identity, **{name: str(value) for name, value in settings.items()}}

    def __call__(self, images: Tensor) -> Activations:
        """What the network makes of b pictures.

        Raises:
            InvalidInputError: they are no RGB pictures in [-1, 1], or of another size than those before.
        """
        check_images(images, self._judge)
        self.check_size((images.shape[2], images.shape[3]))
        return self.extractor(images)

    def check_size(self, size: tuple[int, int]) -> None:
        """Take (height, width) as the size of all pictures to come.

        Raises:
            InvalidInputError: those before were of another.
        """
        if self.size not in (None, size):
            raise InvalidInputError(
                f"{self._judge} compares pictures of one size, real and generated, but {_words(size)} came after "
                f"{_words(self.size)}. Resize the real ones as they were resized for training."
            )
        self.size = size

    def protocol(self, **counts: int | str) -> dict[str, str]:
        """The protocol of a score: extractor, settings, size of the pictures, and how many were seen."""
        size = {"pictures": _words(self.size)} if self.size else {}
        return {**self._identity, **size, **{name: str(count) for name, count in counts.items()}}

    def reset(self) -> None:
        """Forget the size seen."""
        self.size = None

    def state(self) -> dict[str, Tensor]:
        """The settings and the size seen, to be checked by `merge`."""
        settings = json.dumps([self._judge, self._identity]).encode()
        return {
            "settings": torch.frombuffer(bytearray(settings), dtype=torch.uint8),
            "size": torch.tensor(self.size or (), dtype=torch.int64),
        }

    def merge(self, state: Mapping[str, Tensor]) -> None:
        """Check that `state` is of a judge of the same kind, settings and size of pictures.

        Raises:
            InvalidInputError: it is not; says what differs.
        """
        try:
            judge, theirs = json.loads(bytes(state["settings"].cpu().numpy()))
            size = tuple(state["size"].tolist())
        except (KeyError, ValueError, TypeError):
            raise InvalidInputError(
                f"{self._judge} merges states of its own kind, but another came, with {', '.join(sorted(state))}."
            ) from None
        require_same(self._judge, self._identity, judge, theirs)
        if size:
            self.check_size(size)


def require_same(judge: str, settings: Mapping[str, str], other: str, others: Mapping[str, str]) -> None:
    """
    Raises:
        InvalidInputError: a state is of another judge, or of one with other settings; says what differs.
    """
    if other != judge:
        raise InvalidInputError(f"{judge} merges states of its own kind, but one of {other} came.")
    different = [key for key in sorted({*settings, *others}) if settings.get(key) != others.get(key)]
    if different:
        parts = "; ".join(f"{key}: {settings.get(key)} and {others.get(key)}" for key in different)
        raise InvalidInputError(f"{judge} merges states of its own settings, but these differ in {parts}.")


def check_images(images: Tensor, judge: str) -> None:
    """
    Raises:
        InvalidInputError: `images` is not a batch of finite RGB pictures in [-1, 1].
    """
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point() or not images.numel():
        raise InvalidInputError(
            f"{judge} reads RGB pictures as floats [b, 3, h, w], but {images.dtype} of shape {list(images.shape)} "
            f"came. Make grey or transparent pictures RGB first."
        )
    low, high = (float(end) for end in images.aminmax())
    if not (low >= -1 - TOLERANCE and high <= 1 + TOLERANCE):  # NaN fails too
        raise InvalidInputError(
            f"{judge} reads finite pixels in [-1, 1], but these run from {low:.3g} to {high:.3g}. "
            f"NaN means a model that has diverged; 0 to 255 wants t2i.images.from_uint8."
        )


def few(judge: str, need: int, counts: Mapping[str, int], advice: str) -> InvalidInputError:
    """The error for too few pictures of some kind."""
    seen = " and ".join(f"{count} {kind}" for kind, count in counts.items())
    return InvalidInputError(f"{judge} needs at least {need} pictures of each kind, but {seen} came. {advice}")


def _words(size: tuple[int, int] | None) -> str:
    return f"{size[1]}x{size[0]}" if size else "none"
