"""Where a picture's bytes are: a file, a part of one, or a member of a zip; and which files may be read."""

from __future__ import annotations

import glob
import os
import stat
import struct
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import final

from t2i.data.decode import MAX_PICTURE_BYTES
from t2i.errors import DataError
from t2i.files import open_regular

_ZIP_HEADER = struct.Struct("<4s22xHH")  # signature, lengths of name and extra field (APPNOTE 4.3.7)


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the file `path`: `size` bytes from `offset`."""

    path: Path
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A member of the zip `path`, stored or deflated.

    Attributes:
        header: the position of its local header.
        packed, size: its number of bytes in the zip, and unpacked.
        crc: of the unpacked bytes.
    """

    path: Path
    header: int
    packed: int
    size: int
    crc: int
    deflated: bool


Source = Path | Span | ZipMember


def file_of(source: Source) -> Path:
    """The file on disk that holds the picture."""
    return source if isinstance(source, Path) else source.path


def place_of(source: Source) -> str:
    """The part of its file that holds the picture; "" for the whole file."""
    return "" if isinstance(source, Path) else repr((type(source).__name__, *_numbers(source)))


def content_of(source: Source, limit: int = MAX_PICTURE_BYTES) -> Path | bytes:
    """The picture's file, or its bytes.

    Raises:
        DataError: they are more than `limit`, damaged, or cannot be read.
    """
    if isinstance(source, Path):
        return source
    if source.size > limit:
        raise DataError(f"{source.size} bytes are more than {limit}")
    try:
        with open_regular(source.path) as file:
            if isinstance(source, Span):
                file.seek(source.offset)
                return file.read(source.size)
            file.seek(source.header)
            signature, name, extra = _ZIP_HEADER.unpack(file.read(_ZIP_HEADER.size))
            if signature != b"PK\x03\x04":
                raise DataError("the zip is damaged at this member")
            file.seek(name + extra, os.SEEK_CUR)
            packed = file.read(min(source.packed, limit))
    except OSError as error:
        raise DataError(f"{source.path.name} cannot be read ({error.strerror})") from None
    except struct.error:
        raise DataError("the zip is damaged at this member") from None
    return _unpacked(source, packed)


@final
class FilesIn:
    """The files of a folder, by relative names. Its sub-folders are resolved once, and not again for each file."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._inside: dict[str, bool] = {}

    def find(self, name: str) -> Path:
        """
        Raises:
            DataError: the file is outside the folder, by its path or a link, is not a regular file, or there is none.
        """
        path = self._root / name
        folder = os.path.dirname(path)  # noqa: PTH120 - called for every picture, and faster than Path
        if folder not in self._inside:
            self._inside[folder] = _is_inside(folder, self._root)
        if self._inside[folder]:
            with suppress(OSError, ValueError):
                if stat.S_ISREG(os.lstat(path).st_mode):
                    return path
        _check(path, self._root, name)
        return path


def _is_inside(folder: str, root: Path) -> bool:
    """Whether it is, after links are followed."""
    try:
        return Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(root))
    except (OSError, ValueError):  # a name that is too long or contains NUL
        return False


def _check(path: Path, root: Path, name: str) -> None:
    """Raises DataError as `FilesIn.find`; passes for a link to a file of the folder."""
    try:
        real, there = os.path.realpath(path), path.is_file()
    except (OSError, ValueError):
        real, there = "", False
    if real and not Path(real).is_relative_to(os.path.realpath(root)):
        if Path(os.path.normpath(path)).is_relative_to(os.path.normpath(root)):
            raise DataError(f"{name} is a link out of the folder; make a copy without links: cp -rL FOLDER COPY")
        raise DataError(f"{name} is outside the folder")
    if not there:
        special = real and path.exists() and not path.is_dir()
        raise DataError(f"{name} is not a regular file" if special else f"there is no picture {name}")


def matching(pattern: str) -> list[Path]:
    """The file called `pattern`, or all that match it, sorted."""
    if Path(pattern).is_file():
        return [Path(pattern)]
    names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - it may begin anywhere
    return [Path(name) for name in names if Path(name).is_file()]


def _numbers(source: Span | ZipMember) -> tuple[int, ...]:
    return (source.offset, source.size) if isinstance(source, Span) else (source.header, source.size, source.crc)


def _unpacked(member: ZipMember, packed: bytes) -> bytes:
    try:
        content = zlib.decompressobj(-15).decompress(packed, member.size + 1) if member.deflated else packed
    except zlib.error:
        raise DataError("the zip is damaged at this member") from None
    if len(content) != member.size or zlib.crc32(content) != member.crc:
        raise DataError("the zip is damaged at this member: its size or checksum is wrong")
    return content
