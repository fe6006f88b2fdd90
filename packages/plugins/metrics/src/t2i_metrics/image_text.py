"""The contract of an encoder that maps pictures and captions into one space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

BUNDLED = "judge"  # the name of the bundled encoder, which published scores record


class ImageTextEncoder(ABC):
    """A frozen encoder of pictures and captions as unit vectors; a picture is close to captions that describe it."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name by which `create_image_text_encoder` creates it."""

    @property
    @abstractmethod
    def sha256(self) -> str:
        """Of its weights."""

    @property
    @abstractmethod
    def protocol(self) -> dict[str, str]:
        """How it prepares a picture, such as {"resize": "area 64, bicubic 96"}; part of a score's protocol."""

    @property
    @abstractmethod
    def trained_on(self) -> str:
        """A description of its training data, such as "OpenMoji"; part of cautions, not of protocols."""

    @property
    def scale(self) -> float:
        """The factor by which it was trained to multiply cosines; 1 if there is none."""
        return 1.0

    @abstractmethod
    def images(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
        """b pictures in [-1, 1], of any size, as vectors of length 1, float32, on the CPU.

        The encoder moves to the pictures' device.
        """

    @abstractmethod
    def captions(self, captions: Sequence[str]) -> Float[Tensor, "b d"]:
        """b captions as vectors of length 1, float32, on the CPU.

        Raises:
            InvalidInputError: `captions` is empty, or one of them is.
        """

    @abstractmethod
    def to(self, device: torch.device | str) -> ImageTextEncoder:
        """Move the weights to `device`; returns self."""
