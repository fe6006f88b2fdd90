"""The real side of a comparison, worked out once: files that say how they were made, and a cache of them."""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float64
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from t2i.data.dataset import CaptionedDataset
from t2i.errors import DataError, InvalidInputError, OfflineError, SnapshotError
from t2i.files import cache_home, sha256_of, write_atomic
from t2i.hub.download import download
from t2i.images import from_uint8
from t2i_metrics.extractor import AT_ONCE, Extractor
from t2i_metrics.moments import Moments

FORMAT = "1"  # of statistics files and of the cache; raise it when a layout below changes
HUB = "hf-hub:"
MAX_BYTES = 2**29  # of a statistics file, unpacked: 8,000 features and no more


@dataclass(frozen=True)
class Reference:
    """Mean and covariance of features.

    Attributes:
        count: of the pictures, or None where a file does not say.
        size: (height, width) of the pictures, or None where a file does not say.
        sha256: of the file it was read from, or "".
    """

    mean: Float64[Tensor, d]
    covariance: Float64[Tensor, "d d"]
    count: int | None
    size: tuple[int, int] | None = None
    sha256: str = ""

    @classmethod
    def of(cls, moments: Moments) -> Reference:
        """Those of at least two pictures seen."""
        return cls(moments.mean, moments.covariance, moments.count)

    def save(self, path: Path, protocol: Mapping[str, str]) -> None:
        """Write a .safetensors file that `read_reference` reads.

        Raises:
            OutputError: `path` cannot be written.
        """
        said = {"format": FORMAT, "protocol": json.dumps(dict(protocol)), "count": str(self.count)}
        write_atomic(path, save({"mean": self.mean, "covariance": self.covariance}, metadata=said))


def read_reference(reference: str | Path, extractor: Extractor) -> Reference:
    """Statistics from a file, to be compared with what `extractor` sees.

    Args:
        reference: a path to what `Reference.save` (.safetensors) or pytorch-fid (.npz) wrote, or
            "hf-hub:org/repo/file[@revision]" of such a file.

    Raises:
        InvalidInputError: it cannot be read, is damaged, or was made by another protocol; says which part differs.
            An .npz does not say how it was made: only the number of its features can be checked.
        OfflineError, SnapshotError: it is on the Hub, which cannot be reached, or has or gives no such file.
    """
    path = _fetched(str(reference)) if str(reference).startswith(HUB) else Path(reference)
    try:
        mean, covariance, protocol, count, size = (_read_npz if path.suffix == ".npz" else _read_safetensors)(path)
    except Exception as error:  # damaged bytes can make their readers raise anything
        raise InvalidInputError(
            f"Reference statistics are a .safetensors file of t2i or an .npz of pytorch-fid, but {path} cannot be read "
            f"as one ({type(error).__name__}: {error}). Make it again, or leave reference out."
        ) from None
    dim = extractor.protocol.dim
    if tuple(mean.shape) != (dim,) or tuple(covariance.shape) != (dim, dim):
        raise InvalidInputError(
            f"{extractor.protocol.name} has {dim} features, but {path} holds a mean of {list(mean.shape)} and a "
            f"covariance of {list(covariance.shape)}. Take statistics of the same protocol."
        )
    if not (mean.isfinite().all() and covariance.isfinite().all() and torch.allclose(covariance, covariance.T)):
        raise InvalidInputError(
            f"A covariance is finite and symmetric, but that in {path} is not: the file is damaged. Make it again."
        )
    different = [part for part, mine in extractor.identity.items() if protocol and protocol.get(part) != mine]
    if different:
        parts = "; ".join(f"{part}: {protocol.get(part)} and {extractor.identity[part]}" for part in different)
        raise InvalidInputError(
            f"Reference statistics and pictures compare under one protocol, but those in {path} and this judge differ "
            f"in {parts}. Choose the same protocol, or make the statistics again."
        )
    return Reference(mean.double(), covariance.double(), count, size, sha256_of(path))


def dataset_reference(dataset: CaptionedDataset, side: int, extractor: Extractor) -> Reference:
    """Statistics of a whole dataset at `side` pixels; worked out once, then read from the cache.

    The cached file, $T2I_CACHE/statistics/*.safetensors, is one that `read_reference` reads anywhere.

    Raises:
        DataError: fewer than two of its pictures can be read.
    """
    path = _cached("statistics", dataset, side, extractor)
    try:
        return read_reference(path, extractor)
    except InvalidInputError:
        pass  # it is not there, or was damaged
    moments = Moments(extractor.protocol.dim)
    for features, _ in features_of(dataset, side, extractor):
        moments.add(features)
    if moments.count < 2:
        raise DataError(f"Statistics are of at least 2 pictures, but {moments.count} of {dataset.name} can be read.")
    protocol = {**extractor.identity, "pictures": f"{side}x{side}", "data": dataset.name}
    Reference.of(moments).save(path, protocol)
    return read_reference(path, extractor)


def dataset_features(
    dataset: CaptionedDataset, side: int, extractor: Extractor
) -> tuple[Float[Tensor, "n d"], list[int]]:
    """Features of a dataset's readable pictures at `side` pixels, and their positions; cached.

    Raises:
        DataError: none of its pictures can be read.
    """
    path = _cached("features", dataset, side, extractor)
    try:
        cached = load_file(path)
        return cached["features"], cached["positions"].tolist()
    except (OSError, SafetensorError, KeyError):
        pass  # it is not there, or was damaged
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
    """Features of the readable ones of a dataset's pictures at `side` pixels, with their positions, batch by batch."""

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


Statistics = tuple[Tensor, Tensor, dict[str, str], int | None, tuple[int, int] | None]
"""Mean, covariance, protocol, count, and (height, width)."""


def _read_safetensors(path: Path) -> Statistics:
    _check_bytes(path.stat().st_size)
    with safe_open(path, framework="pt") as file:
        said = file.metadata() or {}
        if said.get("format") != FORMAT:
            raise ValueError(f"format {said.get('format')} instead of {FORMAT}")
        protocol = {str(part): str(value) for part, value in dict(json.loads(said["protocol"])).items()}
        width, _, height = protocol.get("pictures", "").partition("x")
        size = (int(height), int(width)) if height else None
        return file.get_tensor("mean"), file.get_tensor("covariance"), protocol, int(said["count"]), size


def _read_npz(path: Path) -> Statistics:
    with zipfile.ZipFile(path) as archive:
        return _array(archive, "mu.npy"), _array(archive, "sigma.npy"), {}, None, None


def _array(archive: zipfile.ZipFile, name: str) -> Tensor:
    """An array, once its header does not ask for more memory than statistics take; nothing in it is run."""
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = read_header[version](file)
        _check_bytes(math.prod(shape) * max(8, dtype.itemsize))
    with archive.open(name) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
    return torch.from_numpy(np.asarray(array, dtype=np.float64))


def _check_bytes(count: int) -> None:
    if count > MAX_BYTES:
        raise ValueError(f"{count} bytes, where statistics have at most {MAX_BYTES}")


def _fetched(reference: str) -> Path:
    where, _, revision = reference.removeprefix(HUB).partition("@")
    parts = where.split("/")
    if len(parts) < 3 or not all(parts) or {".", ".."} & set(parts) or set(where) & set("*?["):
        raise InvalidInputError(f"Statistics on the Hub are named {HUB}org/repo/file, but {reference} came.")
    name = "/".join(parts[2:])
    try:
        folder, _ = download("/".join(parts[:2]), revision or None, [name], MAX_BYTES)
    except OfflineError as error:
        raise OfflineError(
            f"The statistics {reference} are not on this machine, and the Hub does not give them. Connect once, with "
            f"HF_HUB_OFFLINE unset, or give the path of a file."
        ) from error
    if not (folder / name).is_file():
        raise SnapshotError(f"{name} was asked of {'/'.join(parts[:2])}, which has no such file. Check the name.")
    return folder / name
