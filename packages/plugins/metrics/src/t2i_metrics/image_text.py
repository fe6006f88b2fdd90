"""What reads pictures and captions into one space: the bundled judge, or any CLIP."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.errors import UnknownNameError

JUDGE = "judge"


class ImageTextEncoder(ABC):
    """Pictures and captions in, unit vectors of one space out; a picture lies near what it shows. Frozen."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What `create_image_text_encoder` takes to make it again."""

    @property
    @abstractmethod
    def sha256(self) -> str:
        """Of its weights."""

    @property
    @abstractmethod
    def protocol(self) -> dict[str, str]:
        """What it does to a picture before it looks, such as {"resize": "area 64, bicubic 96"}."""

    @abstractmethod
    def images(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """b pictures in [-1, 1], of any size, as vectors of length 1, float32, on the CPU.

        The encoder moves to the pictures' device.
        """

    @abstractmethod
    def captions(self, captions: Sequence[str]) -> Float[Tensor, "b d"]:
        """b captions as vectors of length 1, float32, on the CPU.

        Raises:
            InvalidInputError: there is no caption, or one is empty.
        """

    @abstractmethod
    def to(self, device: torch.device | str) -> ImageTextEncoder:
        """Move the weights to `device`; returns self."""


def create_image_text_encoder(name: str) -> ImageTextEncoder:
    """The encoder "judge", "clip:org/name[@revision]" or "clip:folder".

    Judge a model only by an encoder that did not train it.

    Raises:
        UnknownNameError: it is neither.
        SnapshotError: its weights are not here, or not what they should be.
    """
    if name == JUDGE:
        from t2i_metrics.judge import Judge

        return Judge()
    kind, _, reference = name.partition(":")
    if kind == "clip" and reference:
        from t2i_metrics.clip import CLIP

        return CLIP(reference)
    raise UnknownNameError(
        f"Pictures and captions are read by 'judge', 'clip:org/name[@revision]' or 'clip:folder', but {name!r} came."
    )
