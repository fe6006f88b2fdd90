"""A Draw becomes Batches on the device: gather, cut, flip, scale."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from t2i.data.prepared import PreparedData
from t2i.data.sampling import Draw
from t2i.generator import Noise
from t2i.images import from_uint8
from t2i.training.objective import Batch


class BatchMaker:
    """Makes batches of pictures `resolution` pixels a side, cut at random out of the prepared ones."""

    def __init__(self, data: PreparedData, resolution: int, flip: bool, device: torch.device) -> None:
        self._data, self._resolution, self._flip, self._device = data, resolution, flip, device

    def make(self, draw: Draw, parts: int, progress: float) -> Iterator[Batch]:
        """The draw as `parts` batches; each has fresh noise streams, equal at every call."""
        for part in np.array_split(np.arange(len(draw.pictures)), parts):
            yield Batch(
                images=self._images(draw.pictures[part], draw.places[part]).to(self._device),
                text=self._data.captions[torch.from_numpy(draw.captions[part])].to(self._device),
                mismatched=self._data.captions[torch.from_numpy(draw.mismatched[part])].to(self._device),
                noise=Noise(draw.seeds[part].tolist(), self._device),
                progress=progress,
                pictures=torch.from_numpy(draw.pictures[part]).to(self._device),
            )

    def _images(self, pictures: np.ndarray, places: np.ndarray) -> Tensor:
        size = self._resolution
        pixels = self._data.images[torch.from_numpy(pictures)]
        margin = pixels.shape[-1] - size
        if margin:
            corners = (places[:, :2] * (margin + 1)).astype(int)
            cuts = [image[:, y : y + size, x : x + size] for image, (y, x) in zip(pixels, corners, strict=True)]
            pixels = torch.stack(cuts)
        if self._flip:
            mirrored = torch.from_numpy(places[:, 2] < 0.5)
            pixels[mirrored] = pixels[mirrored].flip(-1)
        return from_uint8(pixels)
