"""Read a pack as a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import final

import numpy as np
from PIL import Image

from t2i.data.dataset import CaptionedDataset, Example, Problem
from t2i.data.fit import Fitting
from t2i.data.pack.pack import KIND, Pack, is_pack, open_pack
from t2i.data.pack.store import Rows
from t2i.errors import DataError


@final
class PackedDataset(CaptionedDataset):
    """A pack, read as the dataset it was made from."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack

    @property
    def name(self) -> str:
        return self.pack.name

    @property
    def location(self) -> str:
        return self.pack.location

    @property
    def fitting(self) -> Fitting:
        return self.pack.fitting

    @property
    def license(self) -> str:
        return self.pack.license

    @property
    def examples(self) -> Sequence[Example]:
        return _Examples(self.pack)

    @property
    def problems(self) -> Sequence[Problem]:
        return self.pack.problems

    @property
    def fingerprint(self) -> str:
        return self.pack.sha256

    def picture(self, index: int, resolution: int) -> tuple[Image.Image, str]:
        picture = Image.fromarray(np.ascontiguousarray(self.pack.images[index].transpose(1, 2, 0)))
        return picture.resize((resolution, resolution), Image.Resampling.LANCZOS), ""

    def size(self, index: int) -> tuple[int, int]:
        return self.pack.resolution, self.pack.resolution


class _Examples(Rows[Example]):
    def __init__(self, pack: Pack) -> None:
        self._pack = pack

    def __len__(self) -> int:
        return len(self._pack.ids)

    def at(self, index: int) -> Example:
        pack = self._pack
        captions = tuple(pack.captions[number] for number in pack.captions_of[index])
        group, repeats = pack.group_names[int(pack.groups[index])], int(pack.repeats[index])
        return Example(pack.ids[index], captions, group, repeats)


def read_pack(reference: str | Path, split: str | None = None) -> PackedDataset:
    """The pack in the folder `reference`, as a dataset.

    Raises:
        DataError: it is not a complete pack, or a split is given.
    """
    folder = Path(reference)
    if split is not None:
        raise DataError(f"A pack has only one split, got {split!r} for {folder}. Pack that split.")
    if not is_pack(folder):
        raise DataError(f"A pack is a folder with a {KIND}.json, but {folder} has none. Make one: t2i data pack")
    try:
        return PackedDataset(open_pack(folder))
    except DataError as error:
        raise DataError(f"{error}. Nothing was read from it; remove {folder} and pack again.") from None
