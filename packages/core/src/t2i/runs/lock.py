"""A lock on a folder, so that only one process writes it. The system releases the lock when the process ends."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from t2i.errors import T2IError, TrainingError
from t2i.files import read_text, unwritable
from t2i.runs.folder import RunFolder

MAX_HOLDER_BYTES = 1000


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Hold the lock of `run` for the block. If the folder is empty afterwards, it is removed.

    Raises:
        TrainingError: another process holds it; the message names the process and its machine.
        OutputError: the folder cannot be written.
    """
    files = RunFolder(run)

    def taken(holder: str) -> T2IError:
        return TrainingError(
            f"A run can be trained by only one process at a time, but {run} is being trained by {holder}. Stop "
            f"that process first, or wait until it ends."
        )

    with hold(files.lock, files.lock_holder, taken):
        yield


@contextmanager
def hold(lock: Path, holder: Path, taken: Callable[[str], T2IError]) -> Iterator[None]:
    """Hold the lock of a folder for the block. If the folder is empty afterwards, it is removed.

    Args:
        lock, holder: files in the folder; the second names the process.
        taken: the error if another process holds the lock, given which one does.

    Raises:
        T2IError: as `taken` says.
        OutputError: the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    folder = lock.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = FileLock(lock, timeout=0)
        held.acquire()
        holder.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
    except Timeout:
        raise taken(_name(holder)) from None
    except OSError as error:
        raise unwritable(folder, error) from None
    try:
        yield
    finally:
        holder.unlink(missing_ok=True)
        held.release()
        if folder.is_dir() and [*folder.iterdir()] == [lock]:
            shutil.rmtree(folder, ignore_errors=True)


def _name(holder: Path) -> str:
    try:
        return read_text(holder, MAX_HOLDER_BYTES)
    except (OSError, UnicodeDecodeError):  # it has just acquired the lock
        return "another process"
