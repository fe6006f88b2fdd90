"""The interface of the index's storage: one SQLite file, or LanceDB for many machines."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from t2i.progress import Progress, silent
from t2i_index.filters import Filters
from t2i_index.record import Entry, Record

Space = Literal["meaning", "look"]
"""Vectors of texts, or of pictures."""

Vectors = NDArray[np.floating[Any]]

ANY = -2.0  # below every cosine, also one that is rounded


class Store(ABC):
    """Stores records. Their ids are positive, increase, and are never reused.

    Every method raises DataError if the store is damaged, and OutputError if it cannot be written.
    """

    @property
    @abstractmethod
    def where(self) -> str:
        """The file, folder or address."""

    @abstractmethod
    def add(self, entries: Sequence[Entry]) -> int:
        """Add all entries or none, leaving out those whose key is already there; returns how many are new."""

    @abstractmethod
    def records(self, ids: Sequence[int]) -> list[Record]:
        """The records with these ids, in this order; ids that are gone are left out."""

    @abstractmethod
    def thumbnails(self, ids: Sequence[int]) -> Mapping[int, bytes]:
        """The thumbnails of those records that have one."""

    @abstractmethod
    def newest(self, filters: Filters, limit: int) -> list[int]:
        """Ids of the latest records, the latest first."""

    @abstractmethod
    def by_words(self, query: str, filters: Filters, limit: int) -> list[int]:
        """Ids of records with these words (see `t2i_index.query`), the best first."""

    @abstractmethod
    def by_vector(
        self, space: Space, vector: Vectors, filters: Filters, limit: int, *, least: float = ANY
    ) -> list[int]:
        """Ids of records whose vectors are nearest to `vector` [d], a unit vector, by cosine; the nearest first.

        Args:
            least: of the cosine; records below it are not found.
        """

    @abstractmethod
    def without_vector(self, space: Space) -> Iterator[list[Record]]:
        """Records that could have a vector in this space but have none, in batches."""

    @abstractmethod
    def set_vectors(self, space: Space, ids: Sequence[int], vectors: Vectors) -> None:
        """Store the unit vectors [n, d] of these records."""

    @abstractmethod
    def use_encoder(self, space: Space, name: str) -> None:
        """Delete the vectors of a space if an encoder other than `name` made them, and store this name."""

    @abstractmethod
    def set_path(self, record: int, path: str) -> None:
        """Set the new path of a record's file."""

    @abstractmethod
    def set_score(self, record: int, score: float | None) -> None:
        """Give a record a score, or none."""

    @abstractmethod
    def remove(self, ids: Sequence[int]) -> None:
        """Remove these records; their files are not touched."""

    @abstractmethod
    def all(self) -> Iterator[Record]:
        """Every record, the oldest first."""

    @abstractmethod
    def facts(self) -> dict[str, object]:
        """Numbers of records and vectors, the size on disk, and the format."""

    @abstractmethod
    def check(self) -> list[str]:
        """A sentence for each problem of the store."""

    @abstractmethod
    def rebuild(self, progress: Progress = silent) -> None:
        """Rebuild everything that is computed from the records and their vectors; if interrupted, call it again."""

    @abstractmethod
    def close(self) -> None:
        """Close its files."""
