"""Mix pictures of a second dataset into a first, such as a parent model's data, so that it is not forgotten."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import final

import numpy as np
import torch
from PIL import Image

from t2i.data.dataset import CaptionedDataset, Example
from t2i.data.pack.dataset import PackedDataset
from t2i.data.pack.features import EncodedCaptions
from t2i.data.prepare import PreparedData
from t2i.data.spread import spread

MOST = 4_000  # pictures of a second dataset that nobody named; they are copied


@final
class Thinned(CaptionedDataset):
    """4,000 pictures (MOST) of a larger dataset, spread over it, so that no others need to be decoded."""

    def __init__(self, whole: CaptionedDataset) -> None:
        self._whole = whole
        self._chosen = spread(len(whole), MOST).tolist()

    @property
    def name(self) -> str:
        return self._whole.name

    @property
    def license(self) -> str:
        return self._whole.license

    @cached_property
    def examples(self) -> Sequence[Example]:
        return [self._whole.examples[index] for index in self._chosen]

    def picture(self, index: int, resolution: int) -> tuple[Image.Image, str]:
        return self._whole.picture(self._chosen[index], resolution)

    @cached_property
    def fingerprint(self) -> str:
        return hashlib.sha256(f"{len(self)} of {self._whole.fingerprint}".encode()).hexdigest()


def thinned(dataset: CaptionedDataset) -> CaptionedDataset:
    """The dataset itself if it is a pack (already decoded) or has at most 4,000 pictures (MOST); else 4,000 of them."""
    return dataset if isinstance(dataset, PackedDataset) or len(dataset) <= MOST else Thinned(dataset)


def mixed(first: PreparedData, second: PreparedData, most: int = MOST) -> PreparedData:
    """`first`, then up to `most` pictures spread over `second`; both have the same picture size and text encoder.

    Training draws a share of each batch from them. Nothing else uses them: they are not validated on, not sampled, and
    are not in the data's name or hash.
    """
    count, captions = len(first.images), len(first.caption_texts)
    chosen = spread(len(second.images), most)
    behind = len(chosen)
    looks = [
        np.arange(len(each.images), dtype=np.uint64) if each.looks is None else each.looks for each in (first, second)
    ]
    repeats = np.ones(count, np.int32) if first.repeats is None else first.repeats
    return replace(
        first,
        images=torch.cat([first.images, second.images[torch.from_numpy(chosen)]]),
        captions=_joined(first.captions, second.captions),
        caption_texts=[*first.caption_texts, *second.caption_texts],
        captions_of=[*first.captions_of, *([captions + c for c in second.captions_of[int(p)]] for p in chosen)],
        groups=np.concatenate([first.groups, second.groups[chosen] + int(first.groups.max()) + 1]),
        looks=np.concatenate([looks[0], looks[1][chosen]]),
        repeats=np.concatenate([repeats, np.ones(behind, np.int32)]),
        held_out=None if first.held_out is None else np.concatenate([first.held_out, np.zeros(behind, bool)]),
        ids=[*first.ids, *(f"mixed in: {place}" for place in chosen)] if first.ids else (),
        mixed_in=behind,
    )


def _joined(first: EncodedCaptions, second: EncodedCaptions) -> EncodedCaptions:
    return EncodedCaptions(
        torch.cat([first.sentence, second.sentence]),
        torch.cat([first.words, second.words]),
        torch.cat([first.starts, second.starts[1:] + first.starts[-1]]),
        first.remarks,
    )
