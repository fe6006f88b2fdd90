"""Pictures in files with their captions: the findings of every file reader, and the dataset made from them."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from PIL import Image, ImageColor

from t2i.data.dataset import CaptionedDataset, Example, Problem
from t2i.data.decode import Box, decode_picture, picture_size
from t2i.data.readers.captions import usable_captions
from t2i.errors import DataError, InvalidInputError

MAX_PICTURE_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Record:
    """An example and where its picture is.

    Attributes:
        path: of the picture file, or of an archive that holds it.
        box: the part of the picture to use; by default all of it.
        span: offset and size in bytes of the picture in `path`; by default the whole file.
    """

    example: Example
    path: Path
    box: Box | None = None
    span: tuple[int, int] | None = None


class Findings:
    """What a reader has found so far: usable records, and problems."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.problems: list[Problem] = []

    def leave_out(self, where: str, reason: str) -> None:
        """Note that something is skipped."""
        self.problems.append(Problem(where, reason))

    def add(
        self,
        where: str,
        name: str,
        captions: Iterable[object],
        group: str,
        path: Path,
        box: Box | None = None,
        span: tuple[int, int] | None = None,
    ) -> None:
        """Keep a picture with its usable captions; `where` locates it in a problem."""
        kept, reason = usable_captions(captions)
        if not kept:
            self.leave_out(where, reason or "it has no caption")
            return
        if reason:
            self.problems.append(Problem(where, f"{reason}, left out", skipped=False))
        self.records.append(Record(Example(name, kept, group), path, box, span))


@final
class FileDataset(CaptionedDataset):
    """Captioned pictures in files."""

    def __init__(
        self,
        name: str,
        found: Findings,
        hint: str,
        license: str = "unknown",  # noqa: A002
        background: str = "white",
    ) -> None:
        """
        Args:
            hint: the expected layout of the files, for the error if nothing was found.

        Raises:
            DataError: nothing usable was found.
        """
        if not found.records:
            flaws = found.problems
            told = f"; {len(flaws)} could not be used; the first: {flaws[0]}" if flaws else ""
            raise DataError(f"No captioned picture in {name}{told}. {hint}")
        self._name, self._license, self._found, self._hint, self._background = name, license, found, hint, background

    @property
    def name(self) -> str:
        return self._name

    @property
    def license(self) -> str:
        return self._license

    @property
    def examples(self) -> Sequence[Example]:
        return _Examples(self._found.records)

    @property
    def problems(self) -> Sequence[Problem]:
        return self._found.problems

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256(super().fingerprint.encode())
        digest.update(self._background.encode() if self._background != "white" else b"")
        times: dict[Path, str] = {}
        for record in self._found.records:
            if record.path not in times:
                times[record.path] = _version(record.path)
            digest.update(f"{times[record.path]} {record.box} {record.span}\n".encode())
        return digest.hexdigest()

    def picture(self, index: int, resolution: int) -> tuple[Image.Image, str]:
        record = self._found.records[index]
        name, box = record.example.id, record.box
        return decode_picture(_source(record), resolution, name=name, box=box, background=self._background)

    def size(self, index: int) -> tuple[int, int]:
        record = self._found.records[index]
        return picture_size(_source(record), name=record.example.id, box=record.box)

    def on_background(self, colour: str) -> FileDataset:
        return FileDataset(self._name, self._found, self._hint, self._license, checked_colour(colour))


class _Examples(Sequence[Example]):
    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        found = self._records[index]
        return [record.example for record in found] if isinstance(index, slice) else found.example


def checked_colour(colour: str) -> str:
    """Return `colour` if it is one.

    Raises:
        InvalidInputError: Pillow knows no such colour.
    """
    try:
        ImageColor.getrgb(colour)
    except ValueError:
        raise InvalidInputError(
            f"A background must be a colour such as white, black or #8090a0, got {colour!r}."
        ) from None
    return colour


def picture_file(root: Path, name: str) -> Path:
    """The file `name` in `root`.

    Raises:
        DataError: it is outside `root`, by its path or a link, or there is no such file.
    """
    path = root / name
    try:
        real, there = os.path.realpath(path), path.is_file()
    except (OSError, ValueError):  # a file name that is too long or contains NUL
        real, there = "", False
    if real and not Path(real).is_relative_to(os.path.realpath(root)):
        raise DataError(f"{name} is outside the folder")
    if not there:
        raise DataError(f"there is no picture {name}")
    return path


def matching(pattern: str) -> list[Path]:
    """The file called `pattern`, or all that match it, sorted."""
    if Path(pattern).is_file():
        return [Path(pattern)]
    names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - it may begin anywhere
    return [Path(name) for name in names if Path(name).is_file()]


def _source(record: Record) -> Path | bytes:
    if record.span is None:
        return record.path
    offset, size = record.span
    if size > MAX_PICTURE_BYTES:
        raise DataError(f"{size} bytes are more than {MAX_PICTURE_BYTES // 2**20} MiB")
    try:
        with record.path.open("rb") as file:
            file.seek(offset)
            return file.read(size)
    except OSError as error:
        raise DataError(f"{record.path.name} cannot be read ({error.strerror})") from None


def _version(path: Path) -> str:
    """A version string that changes when the file does."""
    try:
        facts = path.stat()
    except OSError:  # it was deleted; reported when the picture is read
        return "gone"
    return f"{facts.st_size} {facts.st_mtime_ns}"
