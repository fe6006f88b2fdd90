"""The contract of what reads pictures and captions into one space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

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
