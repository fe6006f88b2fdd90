"""Prepared data without a file: numbered pictures in given groups."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from fakes.models import FakeTextEncoder
from t2i.data.pack.features import EncodedCaptions
from t2i.data.prepare import PreparedData


def numbered(groups: Sequence[int], captions_each: int = 2, resolution: int = 4) -> PreparedData:
    """One picture of random pixels per entry of `groups`, each with its own captions of one to three words."""
    count = len(groups)
    texts = [f"picture {index} again"[: 9 + index % 8] for index in range(count * captions_each)]
    rows = FakeTextEncoder().encode(texts)
    words = [row[mask].half() for row, mask in zip(rows.words, rows.mask, strict=True)]
    starts = torch.tensor([0, *(len(row) for row in words)]).cumsum(0)
    pixels = np.random.default_rng(0).integers(0, 256, (count, 3, resolution, resolution), dtype=np.uint8)
    return PreparedData(
        name="numbered",
        license="unknown",
        images=torch.from_numpy(pixels),
        captions=EncodedCaptions(rows.sentence, torch.cat(words), starts),
        caption_texts=texts,
        captions_of=[range(captions_each * index, captions_each * (index + 1)) for index in range(count)],
        groups=np.array(groups),
        problems=[],
    )
