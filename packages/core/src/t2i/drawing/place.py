"""Where the pictures of many prompts are written: a folder, or a prefix in a bucket of an S3 store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import TypeVar, final

from t2i.drawing.formats import encoded
from t2i.drawing.picture import Picture
from t2i.drawing.provenance import png_bytes
from t2i.errors import InvalidInputError
from t2i.files import check_writable, open_regular, write_atomic

ItemT = TypeVar("ItemT")
FoundT = TypeVar("FoundT")


class Place(ABC):
    """Files under relative paths; each appears complete or not at all. `str(place)` is its folder or address."""

    @abstractmethod
    def at(self, path: Path) -> str:
        """The whole path or address of a file."""

    @abstractmethod
    def check(self) -> None:
        """Check, before long work, that files can be written.

        Raises:
            OutputError: they cannot.
        """

    @abstractmethod
    def open(self, path: Path) -> BufferedReader | BytesIO | None:
        """A file for reading; None if there is none.

        Raises:
            InvalidInputError: something of that name is there, but cannot be read.
            OutputError: the place cannot be reached.
        """

    def has(self, path: Path) -> bool:
        """Whether there is a file; raises as `open`."""
        file = self.open(path)
        if file is not None:
            file.close()
        return file is not None

    @abstractmethod
    def write(self, path: Path, content: bytes) -> None:
        """
        Raises:
            OutputError: it cannot be written.
        """

    @abstractmethod
    def save(self, picture: Picture, path: Path) -> None:
        """Write a picture, after the strip of its stages if it has any.

        Raises:
            OutputError: it, or a picture before it, cannot be written.
        """

    @abstractmethod
    def flush(self) -> None:
        """Wait until everything is written; raises as `save`."""

    def map(self, look: Callable[[ItemT], FoundT], items: Iterable[ItemT]) -> Iterator[FoundT]:
        """What `look` finds for each item, in order; a place that answers slowly is asked for several at once."""
        return map(look, items)


@final
class Folder(Place):
    """A folder of this machine, or one that several machines share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return f"{self.folder}/"

    def at(self, path: Path) -> str:
        return str(self.folder / path)

    def check(self) -> None:
        check_writable(self.folder / "picture")

    def open(self, path: Path) -> BufferedReader | None:
        whole = self.folder / path
        if not whole.exists():
            return None
        try:
            return open_regular(whole)
        except OSError as error:
            raise InvalidInputError(f"Cannot read {whole}: {error.strerror}.") from None

    def write(self, path: Path, content: bytes) -> None:
        write_atomic(self.folder / path, content)

    def save(self, picture: Picture, path: Path) -> None:
        write_picture(picture, self.folder / path)

    def flush(self) -> None:
        pass  # each file is written at once


def write_picture(picture: Picture, path: Path) -> None:
    """Write the picture, after the strip of its stages if it has any.

    Raises:
        OutputError: a file cannot be written.
    """
    if picture.stages:
        write_atomic(strip_path(path), png_bytes(picture.strip))
    picture.save(path)


def picture_files(picture: Picture, path: Path) -> list[tuple[Path, bytes]]:
    """The paths and contents of a picture's files, in the order in which they are written."""
    strip = [(strip_path(path), png_bytes(picture.strip))] if picture.stages else []
    return [*strip, (path, encoded(picture.image, path.suffix))]


def strip_path(picture: Path) -> Path:
    """The path of a picture's stages."""
    return picture.with_name(f"{picture.stem}-stages.png")
