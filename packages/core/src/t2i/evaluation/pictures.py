"""The pictures of an evaluation: read from the dataset, drawn by the artist, and converted for evaluators."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from t2i.config import Config
from t2i.data.dataset import CaptionedDataset
from t2i.drawing.artist import Artist, Request
from t2i.errors import DataError
from t2i.evaluation.plan import Planned
from t2i.images import from_uint8
from t2i.progress import Say


def read_pictures(
    dataset: CaptionedDataset, planned: Sequence[Planned], side: int, warn: Say
) -> tuple[list[Planned], list[Image.Image]]:
    """The dataset's own pictures of `planned`; pictures that cannot be read are left out, with a warning."""

    def read(one: Planned) -> Image.Image | DataError:
        try:
            return dataset.picture(one.example, side)[0]
        except DataError as error:
            return error

    kept, pictures = [], []
    with ThreadPoolExecutor() as pool:
        for one, picture in zip(planned, pool.map(read, planned), strict=True):
            if isinstance(picture, DataError):
                warn(f"{dataset.name}: {dataset.examples[one.example].id} is left out: {picture}")
            else:
                kept.append(one)
                pictures.append(picture)
    return kept, pictures


def draw_pictures(artist: Artist, planned: Sequence[Planned], options: Config) -> list[Image.Image]:
    """The pictures `artist` draws, in one batch; the same ones that `t2i generate` writes."""
    requests = [Request(one.caption, one.seed) for one in planned]
    return [picture.image for picture in artist.draw(requests, options, batch_size=len(requests))]


def to_images(pictures: Sequence[Image.Image], side: int) -> Float[Tensor, "b 3 h w"]:
    """RGB pictures as one batch in [-1, 1]; pictures of another size are resized to `side` (Lanczos, antialiased)."""
    size = (side, side)
    fitting = [p if p.size == size else p.resize(size, Image.Resampling.LANCZOS) for p in pictures]
    pixels = np.stack([np.asarray(picture) for picture in fitting])  # b h w c
    return from_uint8(torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous())
