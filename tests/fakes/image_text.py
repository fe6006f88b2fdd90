"""An image-text encoder without weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from fakes.models import FakeTextEncoder
from t2i_metrics.image_text import ImageTextEncoder


@final
class FakeImageTextEncoder(ImageTextEncoder):
    """Captions are encoded by the fake text encoder; a picture's vector is in its first pixels, written by `show`."""

    def __init__(self, dim: int = 8, name: str = "fake") -> None:
        self._text, self._name = FakeTextEncoder(dim), name

    @property
    def encoded(self) -> list[str]:
        """Every caption it has encoded."""
        return self._text.encoded

    @property
    def name(self) -> str:
        return self._name

    @property
    def sha256(self) -> str:
        return "0" * 64

    @property
    def protocol(self) -> dict[str, str]:
        return {"resize": "none"}

    @property
    def trained_on(self) -> str:
        return "nothing"

    def images(self, images: Tensor) -> Tensor:
        return F.normalize(images.flatten(1)[:, : self._text.identity.dim], dim=1)

    def captions(self, captions: Sequence[str]) -> Tensor:
        return F.normalize(self._text.encode(captions).sentence, dim=1)

    def to(self, device: torch.device | str) -> FakeImageTextEncoder:
        return self

    def show(self, captions: Sequence[str], noise: float = 0.0, seed: int = 0) -> Tensor:
        """Pictures of 4 px that contain the vectors of `captions`, plus `noise`."""
        clear = F.normalize(FakeTextEncoder(self._text.identity.dim).encode(captions).sentence, dim=1)
        stream = torch.Generator().manual_seed(seed)
        pictures = torch.zeros(len(captions), 48)
        pictures[:, : clear.shape[1]] = 0.2 * (clear + noise * torch.randn(clear.shape, generator=stream))
        return pictures.clamp(-1, 1).view(-1, 3, 4, 4)
