"""Read untrusted files, and write files and folders that appear complete or not at all.

Reading: only regular files, because a FIFO never ends and /dev/zero fills the memory, and only up to a limit.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, BufferedWriter
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from t2i.errors import OutputError

OPENING = ("O_RDONLY", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")  # if this system has them
MAX_JSON_BYTES = 100_000_000
MAX_HOLE_BYTES = 2**30  # `cp` may turn zeros into holes, but weights have no gigabyte of zeros


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file, or a link to one, for reading bytes; never waits for a FIFO.

    Raises:
        OSError: it is missing, not a regular file, or not readable; `strerror` says which.
    """
    flags = sum(getattr(os, flag, 0) for flag in OPENING)
    try:
        descriptor = os.open(path, flags)
    except ValueError:  # its name contains a NUL
        raise OSError(errno.EINVAL, "not a valid file name", str(path)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def regular(path: Path) -> Path:
    """`path`, for a library that opens files itself.

    Raises:
        OSError: as `open_regular`.
    """
    open_regular(path).close()
    return path


def read_bytes(path: Path, limit: int) -> bytes:
    """The content of a regular file.

    Raises:
        OSError: as `open_regular`, or it is larger than `limit` bytes.
    """
    with open_regular(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit} bytes", str(path))
    return content


def read_text(path: Path, limit: int, encoding: str = "utf-8") -> str:
    """The content of a regular text file.

    Raises:
        OSError: as `read_bytes`.
        UnicodeDecodeError: it is in another encoding.
    """
    return read_bytes(path, limit).decode(encoding)


def read_json(path: Path, limit: int = MAX_JSON_BYTES) -> Any:
    """The value in a regular JSON file.

    Raises:
        OSError: as `read_bytes`.
        ValueError: it is not JSON, or too deeply nested.
    """
    try:
        return json.loads(read_bytes(path, limit))
    except RecursionError:
        raise ValueError("it is too deeply nested") from None


def write_atomic(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a reader, or a kill -9, sees the old file or the new one.

    Raises:
        OutputError: the folder, which is made if it is missing, is not writable or full; nothing is left behind.
    """
    with atomic_file(path) as file:
        file.write(content)


@contextmanager
def atomic_file(path: Path) -> Iterator[BufferedWriter]:
    """A file to write bytes to, which becomes `path` if the block succeeds, and is removed if it fails.

    Raises:
        OutputError: the folder, which is made if it is missing, is not writable or full, or the block raised an
            OSError.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_new(folder: Path) -> None:
    """
    Raises:
        OutputError: it already exists.
    """
    if folder.exists():
        raise OutputError(f"{folder} already exists, and folders are never overwritten. Choose another name.")


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that becomes `path` if the block succeeds, and is removed if it fails.

    Raises:
        OutputError: the temporary folder cannot be written, or `path` already exists.
    """
    check_new(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        yield scratch
        for file in (entry for entry in scratch.rglob("*") if entry.is_file()):
            file.chmod(0o644)  # safetensors makes files readable only by their owner
            _sync(file)
        scratch.chmod(0o755)
        scratch.rename(path)
        _sync(path.parent)
    except (OSError, SafetensorError) as error:  # safetensors raises its own error for a full disk
        raise unwritable(path, error) from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def check_writable(path: Path) -> None:
    """Check, before long work, that a file or folder can be created at `path`; nothing is left behind.

    Raises:
        OutputError: it cannot.
    """
    try:
        folder = path.parent
        while not folder.exists():
            folder = folder.parent
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise unwritable(path, error) from None


def sha256_of(path: Path) -> str:
    """The sha256 of a regular file, in hex.

    Raises:
        OSError: as `open_regular`, or the file is sparse: hashing 10 TB of holes takes hours.
    """
    with open_regular(path) as file:
        _check_holes(file.fileno(), path)
        return hashlib.file_digest(file, "sha256").hexdigest()


def unwritable(path: Path, error: Exception) -> OutputError:
    """The error for a result that cannot be written, with the system's reason."""
    reason = getattr(error, "strerror", None) or str(error)
    return OutputError(f"Cannot write {path}: {reason}. Choose a folder you may write to, with free space.")


def cache_home() -> Path:
    """The folder for files that t2i can recreate: $T2I_CACHE, else ~/.cache/t2i."""
    return Path(os.environ.get("T2I_CACHE") or Path.home() / ".cache" / "t2i")


def _check_holes(descriptor: int, path: Path) -> None:
    """Refuse a file with more than MAX_HOLE_BYTES in holes; does nothing where the system cannot find holes."""
    size = os.fstat(descriptor).st_size
    if size <= MAX_HOLE_BYTES or not hasattr(os, "SEEK_HOLE"):
        return
    holes = end = 0
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # only ENXIO means that no data follow
                break
            start = size
        holes += start - end
        if holes > MAX_HOLE_BYTES:
            reason = f"a sparse file: more than {MAX_HOLE_BYTES} of its {size} bytes were never written"
            raise OSError(errno.EINVAL, reason, str(path))
        end = os.lseek(descriptor, start, os.SEEK_HOLE) if start < size else size
    os.lseek(descriptor, 0, os.SEEK_SET)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
