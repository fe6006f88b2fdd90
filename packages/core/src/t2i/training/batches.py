"""Turns a Draw into Batches on the device: gathers cut pictures, then flips and scales them there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from t2i.data.prepare import PreparedData
from t2i.images import from_uint8
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i.training.objective import Batch
from t2i.training.sampling import Draw

RESIDENT_SHARE = 0.25  # data may take this share of the device's free memory; networks need the rest


class BatchMaker:
    """Makes batches of `resolution` x `resolution` pictures, cut at random from the prepared ones.

    Data that fits is kept on the device; else batches are gathered from the memory map and sent as bytes.
    """

    def __init__(self, data: PreparedData, resolution: int, flip: bool, device: torch.device) -> None:
        images, captions = data.images, data.captions
        self.resident = images.nbytes + captions.nbytes <= RESIDENT_SHARE * free_memory(device)
        if self.resident:
            images, captions = images.to(device), captions.to(device)
        self._windows = images.unfold(2, resolution, 1).unfold(3, resolution, 1)  # n 3 y x r r, without a copy
        self._captions, self._flip, self._device = captions, flip, device
        self._texts, self._groups = data.caption_texts, data.groups

    def make(
        self,
        draw: Draw,
        parts: int,
        progress: float,
        step: int = 0,
        shared: Sequence[dict[str, Any]] | None = None,
    ) -> Iterator[Batch]:
        """The draw as `parts` batches; each has new noise streams, equal at every call.

        Args:
            shared: `Batch.shared` of each part; by default empty.
        """
        for number, part in enumerate(np.array_split(np.arange(len(draw.pictures)), parts)):
            pictures, captions = draw.pictures[part], draw.captions[part]
            yield Batch(
                images=self.images(pictures, draw.places[part]),
                text=self._text(captions),
                mismatched=None if draw.mismatched is None else self._text(draw.mismatched[part]),
                noise=Noise(draw.seeds[part].tolist(), self._device),
                progress=progress,
                step=step,
                pictures=self._on_device(torch.from_numpy(pictures)),
                groups=self._on_device(torch.from_numpy(self._groups[pictures])),
                captions=tuple(self._texts[caption] for caption in captions.tolist()),
                shared={} if shared is None else shared[number],
            )

    def images(self, pictures: np.ndarray, places: np.ndarray) -> Float[Tensor, "b 3 r r"]:
        """The pictures at these positions, each cut and flipped by its place, in [-1, 1]."""
        windows = self._windows
        margin = windows.shape[2] - 1
        top, left = (places[:, :2] * (margin + 1)).astype(np.int64).T
        index = (self._index(pictures), slice(None), self._index(top), self._index(left))
        pixels = self._sent(windows[index] if margin else windows[index[0], :, 0, 0])
        if self._flip:
            mirrored = self._on_device(torch.from_numpy(places[:, 2] < 0.5))
            pixels = torch.where(mirrored[:, None, None, None], pixels.flip(-1), pixels)
        return from_uint8(pixels)

    def _text(self, captions: np.ndarray) -> TextEmbedding:
        text = self._captions[torch.from_numpy(captions)]
        return TextEmbedding(self._sent(text.sentence), self._sent(text.words), self._sent(text.mask))

    def _index(self, positions: np.ndarray) -> Tensor:
        """Positions on the device that the windows are on."""
        index = torch.from_numpy(np.ascontiguousarray(positions))
        return self._on_device(index) if self.resident else index

    def _sent(self, gathered: Tensor) -> Tensor:
        return gathered if self.resident else self._on_device(gathered)

    def _on_device(self, tensor: Tensor) -> Tensor:
        """Send a tensor without waiting for the device."""
        if self._device.type == "cuda":
            tensor = tensor.pin_memory()
        return tensor.to(self._device, non_blocking=True)


def free_memory(device: torch.device) -> int:
    """Free bytes of a CUDA device; 0 for other devices."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0
