"""Prepare a dataset for training: pack its pictures and encode its captions, once, and cache both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

from t2i.data.dataset import CaptionedDataset, Problem
from t2i.data.held_out import held_out
from t2i.data.pack.dataset import PackedDataset
from t2i.data.pack.features import EncodedCaptions, as_tensor, captions_digest, encode_captions, features_name
from t2i.data.pack.pack import Pack, refuse_problems, source_of, write_pack
from t2i.data.remarks import shared_caption
from t2i.errors import DataError
from t2i.files import cache_home
from t2i.progress import Progress, silent
from t2i.text import TextEncoder

__all__ = ["EncodedCaptions", "PreparedData", "Progress", "prepare", "silent"]


@dataclass(frozen=True)
class PreparedData:
    """The data the sampler draws from; pictures and captions are memory-mapped files.

    Attributes:
        images: [n, 3, r, r], never written to.
        captions: every distinct caption, encoded.
        caption_texts: the same captions as text.
        captions_of: for each picture the positions of its captions.
        groups: [n], the pictures' groups by number.
        problems: pictures left out or converted, each with its reason.
        looks: [n], equal for equal pictures; None if unknown.
        repeats: [n], how often training sees each picture in one epoch; None if once.
        remarks: sentences on how the data was read, and on useless captions.
        content: a hash of everything above that training uses; "" if unknown.
        ids: the pictures' names; empty if unknown.
        held_out: [n], whether a picture is only for validation; None if none is.
        mixed_in: how many pictures, the last ones, are of another dataset; see `t2i.data.mixing`.
        location: the absolute path of the user's own files; "" if the name alone tells the dataset from others.
    """

    name: str
    license: str
    images: UInt8[Tensor, "n 3 r r"]
    captions: EncodedCaptions
    caption_texts: Sequence[str]
    captions_of: Sequence[Sequence[int]]
    groups: np.ndarray
    problems: Sequence[Problem]
    looks: np.ndarray | None = None
    repeats: np.ndarray | None = None
    remarks: Sequence[str] = ()
    content: str = ""
    ids: Sequence[str] = ()
    held_out: np.ndarray | None = None
    mixed_in: int = 0
    location: str = ""

    def holding_out(self, share: float) -> PreparedData:
        """The same data, with about this share held out; see `t2i.data.held_out`.

        Raises:
            DataError: all pictures belong together.
        """
        ids = self.ids or [str(number) for number in range(len(self.images))]
        return replace(self, held_out=held_out(ids, self.groups, self.looks, share))

    @property
    def trained(self) -> np.ndarray:
        """The positions of the data's own pictures that training sees."""
        own = np.arange(len(self.images) - self.mixed_in)
        return own if self.held_out is None else own[~self.held_out[: len(own)]]


def prepare(
    dataset: CaptionedDataset,
    resolution: int,
    encoder: TextEncoder,
    *,
    strict: bool = False,
    progress: Progress = silent,
) -> PreparedData:
    """Decode every picture at `resolution` and encode every caption, or take both from a pack or the cache.

    Pictures that cannot be used are left out and reported in `problems`; with `strict`, any problem is an
    error instead. Damaged cache entries are regenerated.

    Raises:
        DataError: no picture can be used, one has a problem and `strict` is set, or `dataset` is a pack of
            another resolution.
    """
    pack = dataset.pack if isinstance(dataset, PackedDataset) else _cached_pack(dataset, resolution, progress)
    if pack.resolution != resolution:
        raise DataError(
            f"Expected pictures of {resolution} px, but {pack.folder} has pictures of {pack.resolution} px. "
            f"Pack the data again with --resolution {resolution}."
        )
    refuse_problems(pack.name, pack.problems if strict else ())
    captions = captions_of(pack, encoder, progress)
    return PreparedData(
        name=pack.name,
        license=pack.license,
        images=as_tensor(pack.images),
        captions=captions,
        caption_texts=pack.captions,
        captions_of=pack.captions_of,
        groups=np.array(pack.groups),
        problems=pack.problems,
        looks=np.array(pack.looks),
        repeats=np.array(pack.repeats),
        remarks=[*dataset.remarks, *shared_caption(pack.captions, len(pack.ids)), *captions.remarks],
        content=pack.content,
        ids=pack.ids,
        location=dataset.location,
    )


def captions_of(pack: Pack, encoder: TextEncoder, progress: Progress = silent) -> EncodedCaptions:
    """The pack's captions encoded by exactly this encoder: from the pack, else the cache, else encoded now and cached.

    Raises:
        DataError: the pack's own features are damaged.
    """
    own = own_features(pack, encoder)
    if own.is_dir():
        return encode_captions(pack.captions, encoder, own, progress=progress)
    folder = cache_home() / "features" / f"{features_name(encoder.identity)}-{captions_digest(pack.captions)[:32]}"
    return encode_captions(pack.captions, encoder, folder, repair=True, progress=progress)


def own_features(pack: Pack, encoder: TextEncoder) -> Path:
    """The folder for a pack's captions encoded by `encoder`, whether or not it exists."""
    return pack.folder / "text" / features_name(encoder.identity)


def is_decoded(dataset: CaptionedDataset, resolution: int) -> bool:
    """Whether the cache has the dataset's pictures at `resolution`."""
    return _cache_folder(dataset, resolution).is_dir()


def _cached_pack(dataset: CaptionedDataset, resolution: int, progress: Progress) -> Pack:
    return write_pack(dataset, _cache_folder(dataset, resolution), resolution, repair=True, progress=progress)


def _cache_folder(dataset: CaptionedDataset, resolution: int) -> Path:
    return cache_home() / "packs" / source_of(dataset, resolution)[:32]
