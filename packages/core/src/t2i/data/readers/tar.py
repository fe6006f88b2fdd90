"""Reads untrusted tar files: headers that never end or fill the memory are errors.

Python's own reader is vulnerable to some of them: negative sizes (CVE-2025-8194), slow patterns (CVE-2024-6232), and
headers that describe headers, each a level of recursion.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Self

from t2i.files import open_regular

GNU_HEADERS = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)
PAX_HEADERS = (tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE)
MAX_HEADER_BYTES = 1_000_000  # of a header that describes the next one
MOST_HEADERS = 16  # such headers before a member
RECORD = re.compile(rb"(\d{1,7}) ")  # the start of a pax record: its length
DIGITS = re.compile(rb"\d{31}")  # no size or time has as many; Python's patterns take quadratic time for a long run


@contextmanager
def open_tar(path: Path) -> Iterator[tarfile.TarFile]:
    """An uncompressed tar file, for a block that reads its members with `next`.

    Raises:
        OSError: it cannot be read, or is not a regular file.
        tarfile.TarError: it is damaged or not a tar file; also from `next`, which would otherwise end silently.
    """
    with open_regular(path) as file, tarfile.open(fileobj=file, mode="r:", tarinfo=_Checked) as archive:
        yield archive


class _Checked(tarfile.TarInfo):
    """A member whose headers are checked before Python reads them."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(f"a damaged header: {error}") from None

    def _block(self, count: int) -> int:
        if count < 0:
            raise tarfile.ReadError(f"a size of {count} bytes")
        return int(super()._block(count))  # type: ignore[misc]

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        describes_next = self.type in (*GNU_HEADERS, *PAX_HEADERS)
        chain = getattr(archive, "chain", 0) + 1 if describes_next else 0
        archive.chain = chain  # type: ignore[attr-defined]
        if chain > MOST_HEADERS:
            raise tarfile.ReadError(f"more than {MOST_HEADERS} headers of one member")
        if describes_next and self.size > MAX_HEADER_BYTES:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        if self.type in PAX_HEADERS:
            _check_pax(archive.fileobj, self.size)  # type: ignore[arg-type]
        member: tarfile.TarInfo = super()._proc_member(archive)  # type: ignore[misc]
        if member.size < 0:
            raise tarfile.ReadError(f"a size of {member.size} bytes")
        return member


def _check_pax(file: BinaryIO, size: int) -> None:
    """Check that the next `size` bytes are pax records, "length key=value\\n"; keeps the position."""
    start = file.tell()
    content = file.read(max(0, size)).rstrip(b"\0")
    file.seek(start)
    place = 0
    while place < len(content):
        length = RECORD.match(content, place)
        record = content[place : place + int(length[1])] if length else b""
        if not record.endswith(b"\n") or b"=" not in record:
            raise tarfile.ReadError("a damaged pax header")
        place += len(record)
    if DIGITS.search(content):
        raise tarfile.ReadError("a number of more than 30 digits in a pax header")
