"""Reference statistics: the mean and covariance of real pictures' features, and the files that hold them."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float64
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from t2i.errors import InvalidInputError, OfflineError, SnapshotError
from t2i.files import regular, sha256_of, write_atomic
from t2i.hub.download import download
from t2i_metrics.extractor import Extractor
from t2i_metrics.moments import Moments

FORMAT = "1"  # of statistics files and of the cache; raise it when a layout changes
HUB = "hf-hub:"
SUFFIXES = (".safetensors", ".npz")
MAX_BYTES = 2**29  # of an unpacked statistics file: at most 8,000 features


@dataclass(frozen=True)
class Reference:
    """Mean and covariance of features.

    Attributes:
        count: of the pictures, or None if a file does not say.
        size: (height, width) of the pictures, or None if a file does not say.
        sha256: of the file it was read from, or of the dataset; "" for pictures that an evaluator saw.
    """

    mean: Float64[Tensor, d]
    covariance: Float64[Tensor, "d d"]
    count: int | None
    size: tuple[int, int] | None = None
    sha256: str = ""

    @classmethod
    def of(cls, moments: Moments) -> Reference:
        """The mean and covariance of at least two pictures."""
        return cls(moments.mean, moments.covariance, moments.count)

    def save(self, path: Path, protocol: Mapping[str, str]) -> None:
        """Write a .safetensors file that `read_reference` reads.

        Raises:
            OutputError: `path` cannot be written.
        """
        said = {"format": FORMAT, "protocol": json.dumps(dict(protocol)), "count": str(self.count)}
        write_atomic(path, save({"mean": self.mean, "covariance": self.covariance}, metadata=said))


def names_statistics(reference: str | Path) -> bool:
    """Whether `reference` names a file that `read_reference` reads, here or on the Hub, rather than a dataset."""
    return str(reference).startswith(HUB) or Path(reference).suffix in SUFFIXES


def read_reference(reference: str | Path, extractor: Extractor) -> Reference:
    """Statistics from a file, to be compared with the features of `extractor`.

    Args:
        reference: the path of a file that `Reference.save` (.safetensors) or pytorch-fid (.npz) wrote, or
            "hf-hub:org/repo/file[@revision]" for such a file on the Hub.

    Raises:
        InvalidInputError: it cannot be read, is damaged, or was made by another protocol; says which part differs.
            An .npz does not say how it was made, so only the number of its features can be checked.
        OfflineError: it is on the Hub, which cannot be reached.
        SnapshotError: the Hub does not give such a file.
    """
    path = _fetched(str(reference)) if str(reference).startswith(HUB) else Path(reference)
    try:
        mean, covariance, protocol, count, size = (_read_npz if path.suffix == ".npz" else _read_safetensors)(path)
    except Exception as error:  # damaged bytes can make their readers raise anything
        raise InvalidInputError(
            f"reference must be a .safetensors file of t2i or an .npz file of pytorch-fid, but {path} "
            f"cannot be read ({type(error).__name__}: {error}). Make it again, or leave reference out."
        ) from None
    dim = extractor.protocol.dim
    if tuple(mean.shape) != (dim,) or tuple(covariance.shape) != (dim, dim):
        raise InvalidInputError(
            f"{extractor.protocol.name} has {dim} features, but {path} holds a mean of shape {list(mean.shape)} and a "
            f"covariance of shape {list(covariance.shape)}. Use statistics of the same protocol."
        )
    if not (mean.isfinite().all() and covariance.isfinite().all() and torch.allclose(covariance, covariance.T)):
        raise InvalidInputError(
            f"A covariance must be finite and symmetric, but the one in {path} is not. Make the file again."
        )
    different = [part for part, mine in extractor.identity.items() if protocol and protocol.get(part) != mine]
    if different:
        parts = "; ".join(f"{part}: {protocol.get(part)} and {extractor.identity[part]}" for part in different)
        raise InvalidInputError(
            f"Reference statistics and pictures can only be compared under one protocol, but {path} and this evaluator "
            f"differ in {parts}. Choose the same protocol, or make the statistics again."
        )
    return Reference(mean.double(), covariance.double(), count, size, sha256_of(path))


Statistics = tuple[Tensor, Tensor, dict[str, str], int | None, tuple[int, int] | None]
"""Mean, covariance, protocol, count, and (height, width)."""


def _read_safetensors(path: Path) -> Statistics:
    _check_bytes(regular(path).stat().st_size)
    with safe_open(path, framework="pt") as file:
        said = file.metadata() or {}
        if said.get("format") != FORMAT:
            raise ValueError(f"expected format {FORMAT}, got {said.get('format')}")
        protocol = {str(part): str(value) for part, value in dict(json.loads(said["protocol"])).items()}
        width, _, height = protocol.get("pictures", "").partition("x")
        size = (int(height), int(width)) if height else None
        return file.get_tensor("mean"), file.get_tensor("covariance"), protocol, int(said["count"]), size


def _read_npz(path: Path) -> Statistics:
    with zipfile.ZipFile(regular(path)) as archive:
        return _array(archive, "mu.npy"), _array(archive, "sigma.npy"), {}, None, None


def _array(archive: zipfile.ZipFile, name: str) -> Tensor:
    """An array whose header claims no more memory than statistics need; nothing in the file is executed."""
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
        raise ValueError(f"it holds {count} bytes, and statistics hold at most {MAX_BYTES}")


def _fetched(reference: str) -> Path:
    where, _, revision = reference.removeprefix(HUB).partition("@")
    parts = where.split("/")
    if len(parts) < 3 or not all(parts) or {".", ".."} & set(parts) or set(where) & set("*?["):
        raise InvalidInputError(f"Statistics on the Hub are named {HUB}org/repo/file[@revision], got {reference}.")
    name = "/".join(parts[2:])
    try:
        folder, _ = download("/".join(parts[:2]), revision or None, [name], MAX_BYTES)
    except OfflineError as error:
        raise OfflineError(
            f"The statistics {reference} are not on this machine, and the Hub is unreachable. Connect once with "
            f"HF_HUB_OFFLINE unset, or give the path of a file."
        ) from error
    if not (folder / name).is_file():
        raise SnapshotError(f"The repository {'/'.join(parts[:2])} has no file {name}. Check the name.")
    return folder / name
