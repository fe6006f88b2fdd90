"""The files of a folder or a zip, by their relative names."""

from __future__ import annotations

import io
import os
import stat
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, final

from t2i.data.formats import is_picture
from t2i.data.readers.findings import Findings
from t2i.data.readers.sources import FilesIn, Source, ZipMember, content_of
from t2i.errors import DataError
from t2i.files import open_regular

_SYSTEM = {"__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
_SYSTEM_FILES = {"thumbs.db", "desktop.ini"}
MAX_MEMBERS = 5_000_000  # of a zip


class Tree(ABC):
    """Files by relative names with forward slashes. Hidden files and files of operating systems are not listed."""

    @property
    @abstractmethod
    def title(self) -> str:
        """The name of the folder or zip."""

    @abstractmethod
    def names(self, found: Findings) -> list[str]:
        """The names of all files, sorted; files that cannot be listed are recorded in `found`."""

    @abstractmethod
    def source(self, name: str) -> Source:
        """Where the file is.

        Raises:
            DataError: there is no such file, or it is outside.
        """

    @abstractmethod
    def under(self, folder: str) -> Tree | None:
        """The files of a sub-folder, or None if there is none."""

    def open(self, name: str, limit: int) -> BinaryIO | io.BytesIO:
        """The file, to be read from its beginning; the caller closes it.

        Raises:
            DataError: it cannot be opened, or is packed and larger than `limit` bytes.
        """
        content = content_of(self.source(name), limit)
        try:
            return open_regular(content) if isinstance(content, Path) else io.BytesIO(content)
        except OSError as error:
            raise DataError(f"{name.rpartition('/')[2]} cannot be read ({error.strerror})") from None

    def read(self, name: str, limit: int) -> bytes:
        """The file's content.

        Raises:
            DataError: it is larger than `limit` bytes, or cannot be read.
        """
        base = name.rpartition("/")[2]
        try:
            with self.open(name, limit) as file:
                content = file.read(limit + 1)
        except OSError as error:
            raise DataError(f"{base} cannot be read ({error.strerror})") from None
        if len(content) > limit:
            raise DataError(f"{base} is larger than {limit} bytes")
        return content


@final
class FolderTree(Tree):
    """A folder on disk. Links to folders are not followed, and links to files only within the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = FilesIn(folder)

    @property
    def title(self) -> str:
        return self._folder.resolve().name

    def names(self, found: Findings) -> list[str]:
        return sorted(self._walk(found))

    def source(self, name: str) -> Path:
        return self._files.find(name)

    def under(self, folder: str) -> FolderTree | None:
        path = self._folder / folder
        return FolderTree(path) if path.is_dir() else None

    def _walk(self, found: Findings) -> Iterator[str]:
        def unreadable(error: OSError) -> None:
            found.leave_out(os.path.relpath(error.filename, self._folder), f"cannot be read ({error.strerror})")

        for parent, folders, files in os.walk(self._folder, onerror=unreadable):
            folders[:] = [name for name in folders if not is_hidden(name)]
            here = Path(parent).relative_to(self._folder)
            for name in folders:
                if (Path(parent) / name).is_symlink():
                    found.leave_out((here / name).as_posix(), "a link to a folder, which is not followed")
            for name in files:
                if not is_hidden(name):
                    yield (here / name).as_posix()


@final
class ZipTree(Tree):
    """A zip, read in place: nothing is unpacked on disk, so no name can lead out of it."""

    def __init__(self, path: Path, top: str = "") -> None:
        """
        Raises:
            DataError: it is not a complete zip.
        """
        self._path, self._top = path, top
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise DataError(f"{path} is not a complete zip ({error}).") from None
        if len(members) > MAX_MEMBERS:
            raise DataError(f"{path} has {len(members)} members (at most {MAX_MEMBERS}).")
        self._members = {
            str(PurePosixPath(member.filename).relative_to(top)): member
            for member in members
            if not member.is_dir() and PurePosixPath(member.filename).is_relative_to(top)
        }

    @property
    def title(self) -> str:
        return self._path.name

    def names(self, found: Findings) -> list[str]:
        return sorted(name for name in self._members if not any(map(is_hidden, PurePosixPath(name).parts)))

    def source(self, name: str) -> ZipMember:
        member = self._members.get(name)
        if member is None:
            raise DataError(f"there is no picture {name}" if is_picture(name) else f"there is no file {name}")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(f"{name} is a link")
        if member.flag_bits & 1:
            raise DataError(f"{name} is encrypted")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"{name} is neither stored nor deflated; pack it again with zip")
        return ZipMember(
            self._path,
            member.header_offset,
            member.compress_size,
            member.file_size,
            member.CRC,
            member.compress_type == zipfile.ZIP_DEFLATED,
        )

    def under(self, folder: str) -> ZipTree | None:
        tree = ZipTree(self._path, str(PurePosixPath(self._top) / folder))
        return tree if tree._members else None


def is_hidden(name: str) -> bool:
    """Whether it is a file of an operating system or a program among a user's files: .DS_Store, ._x.png, @eaDir."""
    return name.startswith(".") or name in _SYSTEM or name.lower() in _SYSTEM_FILES
