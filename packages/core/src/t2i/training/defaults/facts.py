"""What the choice of settings depends on: a dataset in numbers, and the device. Imports no torch."""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from dataclasses import dataclass
from pathlib import PurePosixPath

from t2i.data.dataset import CaptionedDataset
from t2i.data.pack.dataset import PackedDataset
from t2i.errors import DataError

LOOKED_AT = 200  # pictures whose headers are read
LONG = 1.5  # longer side divided by shorter side
MOST_LONG = 1 / 3  # share of long pictures up to which they may lose what a square crop cuts off
MANY = 10  # pictures of a caption; one drawing each cannot be like all of them
PHOTOS = (".jpg", ".jpeg", ".heic", ".webp")
SIDES = re.compile(r"\b(left|right)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Facts:
    """A dataset in numbers, and the device.

    Attributes:
        pictures, groups: their numbers.
        captions: the number of distinct captions.
        uneven: the largest group's pictures divided by the median group's.
        side: median of the pictures' shorter sides in pixels; 0 if it is unknown.
        elongated: share of the pictures beyond LONG to 1.
        photos: whether most of the files are of a kind that cameras write.
        sides: whether a caption says left or right, so that mirrored pictures would be wrong.
        gpu: whether the run will use an accelerator.
        packed: pixels per side of a pack's pictures; 0 if the data is no pack.
    """

    pictures: int
    groups: int
    captions: int
    uneven: float = 1.0
    side: int = 0
    elongated: float = 0.0
    photos: bool = False
    sides: bool = False
    gpu: bool = False
    packed: int = 0

    @property
    def long(self) -> bool:
        """Whether so many pictures are long that a crop to squares would lose much."""
        return self.elongated > MOST_LONG

    @property
    def shared(self) -> bool:
        """Whether many pictures share each caption."""
        return MANY * self.captions <= self.pictures


def facts_of(dataset: CaptionedDataset, *, gpu: bool = False) -> Facts:
    """The facts of a dataset; at most LOOKED_AT pictures' headers are read, spread over the data."""
    examples = dataset.examples
    groups = Counter(example.group for example in examples)
    captions = {caption for example in examples for caption in example.captions}
    sizes = []
    step = max(1, math.ceil(len(examples) / LOOKED_AT))
    for index in range(0, len(examples), step):
        try:
            size = dataset.size(index)
        except DataError:  # it is left out, and reported, when it is decoded
            continue
        if size is not None and min(size):
            sizes.append(size)
    looked = examples[::step]
    photos = sum(PurePosixPath(example.id).suffix.lower() in PHOTOS for example in looked)
    return Facts(
        pictures=len(examples),
        groups=len(groups),
        captions=len(captions),
        uneven=max(groups.values()) / statistics.median(groups.values()),
        side=int(statistics.median(min(size) for size in sizes)) if sizes else 0,
        elongated=sum(max(size) > LONG * min(size) for size in sizes) / len(sizes) if sizes else 0.0,
        photos=2 * photos > len(looked),
        sides=any(map(SIDES.search, captions)),
        gpu=gpu,
        packed=dataset.pack.resolution if isinstance(dataset, PackedDataset) else 0,
    )
