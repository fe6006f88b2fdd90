"""A lock on a run folder, so that only one process trains it. The system releases the lock when the process ends."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from t2i.errors import TrainingError
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
    from filelock import FileLock, Timeout

    files = RunFolder(run)
    try:
        run.mkdir(parents=True, exist_ok=True)
        lock = FileLock(files.lock, timeout=0)
        lock.acquire()
        files.lock_holder.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
    except Timeout:
        raise TrainingError(
            f"A run can be trained by only one process at a time, but {run} is being trained by {_holder(files)}. Stop "
            f"that process first, or wait until it ends."
        ) from None
    except OSError as error:
        raise unwritable(run, error) from None
    try:
        yield
    finally:
        files.lock_holder.unlink(missing_ok=True)
        lock.release()
        if run.is_dir() and [*run.iterdir()] == [files.lock]:
            shutil.rmtree(run, ignore_errors=True)


def _holder(files: RunFolder) -> str:
    try:
        return read_text(files.lock_holder, MAX_HOLDER_BYTES)
    except (OSError, UnicodeDecodeError):  # it has just acquired the lock
        return "another process"
