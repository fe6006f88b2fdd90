"""The contract of a captioned dataset and its examples."""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from PIL import Image

from t2i.data.fit import CROPPED, Fitting
from t2i.errors import InvalidInputError

NAMED = 3  # files named in a line about several


@dataclass(frozen=True)
class Example:
    """One captioned picture.

    Attributes:
        id: unique in its dataset and stable across runs, such as a relative path.
        captions: at least one, none empty; all describe the same picture.
        group: what the picture shows, coarser than a caption (a class, a concept). Pictures of one group
            are never paired with each other's captions as wrong ones. Unique to the picture if nothing is known.
        repeats: how often training sees the picture in one epoch, at least once.
    """

    id: str
    captions: tuple[str, ...]
    group: str
    repeats: int = 1


@dataclass(frozen=True)
class Problem:
    """Something wrong in a dataset.

    Attributes:
        where: the file, or file:line.
        reason: half a sentence.
        skipped: whether the picture was left out (else it was converted and used).
    """

    where: str
    reason: str
    skipped: bool = True

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


def summarised(problems: Iterable[Problem]) -> list[str]:
    """A line for each kind of problem; problems whose reasons differ only in the file's name are counted together."""
    kinds: dict[tuple[str, bool], list[Problem]] = {}
    for problem in problems:
        own = re.escape(PurePosixPath(problem.where.partition(":")[0]).stem)
        reason = re.sub(rf"(?<![\w.-]){own}\.", "*.", problem.reason) if own else problem.reason
        kinds.setdefault((reason, problem.skipped), []).append(problem)
    return [_line(reason, found) for (reason, _), found in kinds.items()]


def _line(reason: str, found: Sequence[Problem]) -> str:
    if len(found) == 1:
        return str(found[0])
    more = ", ..." if len(found) > NAMED else ""
    return f"{len(found):,} times: {reason} ({', '.join(problem.where for problem in found[:NAMED])}{more})"


class CaptionedDataset(ABC):
    """Captioned pictures by position. Metadata is cheap; a picture is decoded on request."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name and split, such as "openmoji:train"; a run records it as its training data."""

    @property
    def location(self) -> str:
        """The absolute path of the user's own files, which tells datasets of one name apart; "" if the name does."""
        return ""

    @property
    @abstractmethod
    def license(self) -> str:
        """SPDX id of the pictures' licence, or "unknown"."""

    @property
    @abstractmethod
    def examples(self) -> Sequence[Example]:
        """All examples in a fixed order."""

    @abstractmethod
    def picture(self, index: int, resolution: int) -> tuple[Image.Image, str]:
        """Picture `index` as a square RGB image, `resolution` pixels per side, and a note ("" or what was converted).

        Raises:
            DataError: the picture cannot be used; the message gives the reason as half a sentence.
        """

    def size(self, index: int) -> tuple[int, int] | None:
        """Width and height in pixels of picture `index`, upright and before it is fitted; None if its header has none.

        Raises:
            DataError: the picture cannot be read.
        """
        return None

    @property
    def fitting(self) -> Fitting:
        """How its pictures become squares."""
        return CROPPED

    def on_background(self, colour: str) -> CaptionedDataset:
        """The same dataset, with transparent pictures placed on `colour` instead of white.

        Raises:
            InvalidInputError: this dataset has no picture files with transparency, or Pillow knows no such colour.
        """
        raise InvalidInputError(
            f"A background needs picture files with transparency, but {self.name} has none. Leave --background out."
        )

    def fitted(self, fitting: Fitting) -> CaptionedDataset:
        """The same dataset, whose pictures become squares in this way.

        Raises:
            InvalidInputError: this dataset makes squares in one way only.
        """
        if fitting in (CROPPED, self.fitting):
            return self
        raise InvalidInputError(
            f"The pictures of {self.name} are squares already, so fit and position cannot be chosen. Leave them out."
        )

    @property
    def problems(self) -> Sequence[Problem]:
        """Problems found in the metadata."""
        return ()

    @property
    def remarks(self) -> Sequence[str]:
        """Sentences on how ambiguous files were read, and on files that were skipped."""
        return ()

    @property
    def fingerprint(self) -> str:
        """A hash that changes when the data does, the key of cached data. This one covers the examples: override it if
        pictures can change while their ids stay."""
        digest = hashlib.sha256(self.name.encode())
        for example in self.examples:
            digest.update(repr((example.id, example.captions, example.group, example.repeats)).encode())
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.examples)

    def __iter__(self) -> Iterator[Example]:
        return iter(self.examples)
