"""Features of a whole dataset, and their mean and covariance: computed once, then read from the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from t2i.data.dataset import CaptionedDataset
from t2i.errors import DataError, InvalidInputError
from t2i.files import cache_home, write_atomic
from t2i.images import from_uint8
from t2i_metrics.extractor import AT_ONCE, Extractor
from t2i_metrics.moments import Moments
from t2i_metrics.reference import FORMAT, Reference, read_reference


def dataset_reference(dataset: CaptionedDataset, side: int, extractor: Extractor) -> Reference:
    """Statistics of a whole dataset at `side` pixels, whose sha256 is the dataset's; cached.

    The cached file, $T2I_CACHE/statistics/*.safetensors, can be copied and given to `read_reference`.

    Raises:
        DataError: fewer than two of its pictures can be read.
    """
    path = _cached("statistics", dataset, side, extractor)
    try:
        statistics = read_reference(path, extractor)
    except InvalidInputError:  # not there, or damaged
        moments = Moments(extractor.protocol.dim)
        for features, _ in features_of(dataset, side, extractor):
            moments.add(features)
        if moments.count < 2:
            raise DataError(
                f"Statistics need at least 2 pictures, but only {moments.count} of {dataset.name} can be read."
            ) from None
        protocol = {**extractor.identity, "pictures": f"{side}x{side}", "data": dataset.name}
        Reference.of(moments).save(path, protocol)
        statistics = read_reference(path, extractor)
    return replace(statistics, sha256=dataset.fingerprint)  # the file's hash would differ between machines


def dataset_features(
    dataset: CaptionedDataset, side: int, extractor: Extractor
) -> tuple[Float[Tensor, "n d"], list[int]]:
    """Features of a dataset's readable pictures at `side` pixels, and their positions in it; cached.

    Raises:
        DataError: none of its pictures can be read.
    """
    path = _cached("features", dataset, side, extractor)
    try:
        cached = load_file(path)
        return cached["features"], cached["positions"].tolist()
    except (OSError, SafetensorError, KeyError):
        pass  # not there, or damaged
    parts = list(features_of(dataset, side, extractor))
    positions = [position for _, some in parts for position in some]
    if not positions:
        raise DataError(f"None of the {len(dataset)} pictures of {dataset.name} can be read.")
    features = torch.cat([each for each, _ in parts])
    write_atomic(path, save({"features": features, "positions": torch.tensor(positions)}))
    return features, positions


def features_of(
    dataset: CaptionedDataset, side: int, extractor: Extractor, positions: Sequence[int] | None = None
) -> Iterator[tuple[Float[Tensor, "b d"], list[int]]]:
    """Features at `side` pixels of a dataset's readable pictures, and their positions in it, batch by batch.

    Args:
        positions: which pictures; all by default.
    """

    def read(position: int) -> Tensor | None:
        try:
            return torch.from_numpy(np.array(dataset.picture(position, side)[0])).permute(2, 0, 1)
        except DataError:
            return None

    wanted = range(len(dataset)) if positions is None else positions
    with ThreadPoolExecutor() as pool:
        for start in range(0, len(wanted), AT_ONCE):
            some = wanted[start : start + AT_ONCE]
            read_well = {
                position: pixels
                for position, pixels in zip(some, pool.map(read, some), strict=True)
                if pixels is not None
            }
            if read_well:
                yield extractor(from_uint8(torch.stack(list(read_well.values())))).features, list(read_well)


def _cached(kind: str, dataset: CaptionedDataset, side: int, extractor: Extractor) -> Path:
    parts = [FORMAT, dataset.fingerprint, side, dict(extractor.identity)]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return cache_home() / kind / f"{digest[:32]}.safetensors"
