"""Write files and folders atomically: they appear complete or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from t2i.errors import OutputError


def write_atomic(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a reader, or a kill -9, sees the old file or the new one.

    Raises:
        OutputError: the folder is missing, not writable or full; nothing is left behind.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that becomes `path` if the block succeeds, and is removed if it fails.

    Raises:
        OutputError: the temporary folder cannot be written, or `path` already exists.
    """
    if path.exists():
        raise OutputError(f"{path} already exists, and folders are never overwritten. Choose another name.")
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


def sha256_of(path: Path) -> str:
    """The file's sha256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unwritable(path: Path, error: Exception) -> OutputError:
    """The error for a result that cannot be written, with the system's reason."""
    reason = getattr(error, "strerror", None) or str(error)
    return OutputError(f"Cannot write {path}: {reason}. Choose a folder you may write to, with free space.")


def cache_home() -> Path:
    """The folder for files that t2i can recreate: $T2I_CACHE, else ~/.cache/t2i."""
    return Path(os.environ.get("T2I_CACHE") or Path.home() / ".cache" / "t2i")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
