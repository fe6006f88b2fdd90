"""A folder of flat arrays with a manifest that describes them: checksummed, memory-mapped, never pickled.

folder/
    <kind>.json     format, facts, and each array's dtype, shape and sha256; itself checksummed
    <name>.bin      an array's numbers, end to end, little-endian
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from abc import abstractmethod
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from t2i.errors import DataError
from t2i.files import read_json, sha256_of, write_atomic

FORMAT = 4  # part of every cache key; raise it when a layout changes
T = TypeVar("T")
Shapes = dict[str, tuple[str, tuple[int, ...]]]
"""Arrays by name: dtype and shape."""
DTYPES = ("uint8", "uint64", "int32", "int64", "float16")


@dataclass(frozen=True)
class Store:
    """An open store whose checksums have been verified.

    Attributes:
        sha256: of the manifest, which includes the hashes of all files.
        arrays: read-only and memory-mapped; a page is read when it is accessed.
    """

    folder: Path
    facts: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    sha256: str

    def texts(self, name: str) -> Texts:
        """The texts written by `write_texts`."""
        return Texts(self.arrays[name], self.arrays[f"{name}_starts"])


class Rows(Sequence[T]):
    """A sequence whose items are created on access."""

    @abstractmethod
    def at(self, index: int) -> T:
        """Item `index`, from 0 to len - 1."""

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        if isinstance(index, slice):
            return [self.at(position) for position in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self.at(index % len(self))


@dataclass(frozen=True)
class Texts(Rows[str]):
    """Texts stored end to end as UTF-8; text i is bytes starts[i] to starts[i + 1]."""

    content: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return len(self.starts) - 1

    def at(self, index: int) -> str:
        return self.content[self.starts[index] : self.starts[index + 1]].tobytes().decode()


@dataclass(frozen=True)
class Ragged(Rows[list[int]]):
    """Rows of numbers of different lengths, end to end; row i is values[starts[i] : starts[i + 1]]."""

    values: np.ndarray
    starts: np.ndarray

    @classmethod
    def of(cls, rows: Sequence[Sequence[int]]) -> Ragged:
        """The same rows as a Ragged; a Ragged is not copied."""
        if isinstance(rows, Ragged):
            return rows
        values = np.array([value for row in rows for value in row], np.int64)
        return cls(values, starts_of([len(row) for row in rows]))

    def __len__(self) -> int:
        return len(self.starts) - 1

    def at(self, index: int) -> list[int]:
        return cast("list[int]", self.values[self.starts[index] : self.starts[index + 1]].tolist())

    def pick(self, rows: np.ndarray, chances: np.ndarray) -> np.ndarray:
        """One value from each of `rows`, chosen by `chances` in [0, 1)."""
        first, count = self.starts[rows], self.starts[rows + 1] - self.starts[rows]
        return self.values[first + (chances * count).astype(np.int64)].astype(np.int64)


def starts_of(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    """The starts of rows of these lengths stored end to end, and the end of the last one."""
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def write_array(folder: Path, name: str, values: np.ndarray) -> None:
    """Write an array that is in memory; larger ones are appended to their file piece by piece."""
    values.astype(values.dtype.newbyteorder("<")).tofile(folder / f"{name}.bin")


def write_texts(folder: Path, name: str, texts: Iterable[str]) -> Shapes:
    """Write texts one by one, and return their arrays' dtypes and shapes for `seal`."""
    lengths = array("q")
    with (folder / f"{name}.bin").open("wb") as file:
        for text in texts:
            lengths.append(file.write(text.encode()))
    starts = starts_of(np.asarray(lengths))
    write_array(folder, f"{name}_starts", starts)
    return {name: ("uint8", (int(starts[-1]),)), f"{name}_starts": ("int64", starts.shape)}


def seal(folder: Path, kind: str, facts: Mapping[str, Any], arrays: Shapes) -> None:
    """Write the manifest of the arrays in `folder`, given by dtype and shape; this completes the store."""
    entries = {
        name: {"dtype": dtype, "shape": list(shape), "sha256": sha256_of(folder / f"{name}.bin")}
        for name, (dtype, shape) in arrays.items()
    }
    body = {"format": FORMAT, "facts": dict(facts), "arrays": entries}
    content = json.dumps({"sha256": _digest(body)} | body, indent=1, ensure_ascii=False)
    write_atomic(folder / f"{kind}.json", content.encode())


def open_store(folder: Path, kind: str) -> Store:
    """Open a store after checking every byte of it against its checksums.

    Raises:
        DataError: it is damaged, in another format, or not such a store; the message names the file.
    """
    path = folder / f"{kind}.json"
    try:
        body = read_json(path)
        sha256 = body.pop("sha256")
        if body["format"] != FORMAT:
            raise DataError(f"{path} has format {body['format']}, but this version reads format {FORMAT}")
        if sha256 != _digest(body):
            raise DataError(f"{path} is damaged: its checksum does not match the recorded one")
        arrays = {name: _mapped(folder, name, **entry) for name, entry in body["arrays"].items()}
    except DataError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{path} is damaged or not a manifest ({type(error).__name__}: {error})") from None
    return Store(folder, body["facts"], arrays, sha256)


def check_ragged(where: Path, starts: np.ndarray, count: int) -> None:
    """
    Raises:
        DataError: `starts` does not divide `count` values into rows, although the checksums match.
    """
    if len(starts) < 1 or starts[0] != 0 or starts[-1] != count or (np.diff(starts) < 0).any():
        raise DataError(f"{where} is inconsistent: its rows do not fit its {count} values")


def _mapped(folder: Path, name: str, dtype: str, shape: list[int], sha256: str) -> np.ndarray:
    path = folder / f"{name}.bin"
    if not re.fullmatch(r"[a-z_]+", name) or dtype not in DTYPES or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"{name!r} is not an array of {dtype}")
    kind = np.dtype(dtype).newbyteorder("<")
    size = math.prod(shape) * kind.itemsize
    if path.is_symlink() or path.stat().st_size != size:
        raise DataError(f"{path} is damaged: it holds {path.stat().st_size} bytes, not {size}")
    if sha256_of(path) != sha256:
        raise DataError(f"{path} is damaged: its sha256 does not match the recorded one")
    return np.memmap(path, kind, "r", shape=tuple(shape)) if size else np.empty(shape, kind)


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
