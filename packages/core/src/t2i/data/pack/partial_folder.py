"""A folder that is filled chunk by chunk, survives Ctrl-C and kill -9, and appears only when complete."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from t2i.files import cache_home, unwritable
from t2i.progress import Progress, silent

JOURNAL = "journal.jsonl"
PATIENCE = 5.0  # seconds between two signs that it still waits


class PartialFolder:
    """An unfinished folder: its complete chunks, and how to continue.

    Every chunk is on disk before the journal records it, so anything not in the journal is discarded.
    """

    def __init__(self, folder: Path, key: str) -> None:
        """
        Args:
            folder: the folder that appears at the end.
            key: identifies the contents; unfinished contents with another key are deleted.

        Raises:
            OutputError: nothing can be written next to `folder`.
        """
        self.scratch = scratch_of(folder)
        self.folder = folder
        self.chunks: list[Any] = []
        """The note of each finished chunk."""
        self.done = 0
        """The total number of items in the finished chunks."""
        self._sizes: dict[str, int] = {}
        try:
            if not self._resume(key):
                shutil.rmtree(self.scratch, ignore_errors=True)
                self.scratch.mkdir(parents=True)
                self.chunks, self.done, self._sizes = [], 0, {}
                self._note({"key": key})
        except OSError as error:
            raise unwritable(folder, error) from None

    def append(self, items: int, content: Mapping[str, bytes], note: Any) -> None:
        """Add a chunk of `items` to the arrays named in `content`, and keep `note`.

        Raises:
            OutputError: the disk is full; finished chunks are kept.
        """
        try:
            for name, piece in content.items():
                with (self.scratch / f"{name}.bin").open("ab") as file:
                    file.write(piece)
                    file.flush()
                    os.fsync(file.fileno())
                self._sizes[name] = self._sizes.get(name, 0) + len(piece)
            self.done += items
            self.chunks.append(note)
            self._note({"done": self.done, "sizes": self._sizes, "note": note})
        except OSError as error:
            raise unwritable(self.folder, error) from None

    def finish(self) -> None:
        """Move the complete folder into place."""
        try:
            (self.scratch / JOURNAL).unlink()
            for path in self.scratch.iterdir():
                with path.open("rb") as file:
                    os.fsync(file.fileno())
            self.scratch.rename(self.folder)
        except OSError as error:
            raise unwritable(self.folder, error) from None

    def discard(self) -> None:
        """Delete the unfinished folder."""
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _resume(self, key: str) -> bool:
        """Read the journal and truncate what it does not record; False if there is nothing to resume."""
        try:
            first, *lines = (self.scratch / JOURNAL).read_bytes().splitlines(keepends=True)
            if json.loads(first) != {"key": key}:
                return False
        except (OSError, ValueError):
            return False
        whole = len(first)
        for line in lines:
            try:
                entry = json.loads(line)
                done, sizes, note = entry["done"], entry["sizes"], entry["note"]
            except (ValueError, KeyError, TypeError):
                break  # the process was killed while writing the line
            if not line.endswith(b"\n"):
                break
            self.done, self._sizes = done, sizes
            self.chunks.append(note)
            whole += len(line)
        for path in self.scratch.iterdir():
            size = whole if path.name == JOURNAL else self._sizes.get(path.stem)
            if size is None:  # written after the last chunk; it will be written again
                path.unlink()
                continue
            if path.stat().st_size < size:
                return False
            os.truncate(path, size)
        return all((self.scratch / f"{name}.bin").is_file() for name in self._sizes)

    def _note(self, entry: Mapping[str, Any]) -> None:
        with (self.scratch / JOURNAL).open("ab") as file:
            file.write(json.dumps(entry).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def scratch_of(folder: Path) -> Path:
    """The temporary folder in which `folder` is filled."""
    return folder.parent / f".{folder.name}.unfinished"


def target_of(path: Path) -> Path:
    """The folder that `scratch_of` was given; any other path is returned as it is."""
    unfinished = path.name.startswith(".") and path.name.endswith(".unfinished")
    return path.with_name(path.name[1:].removesuffix(".unfinished")) if unfinished else path


def is_being_filled(folder: Path) -> bool:
    """Whether another process is writing `folder` now."""
    path = _lock_path(folder)
    if not path.exists():
        return False
    try:
        with FileLock(path).acquire(blocking=False):
            return False
    except Timeout:
        return True


@contextmanager
def alone(folder: Path, progress: Progress = silent) -> Iterator[None]:
    """Wait until no other process is filling `folder`; a killed process releases its lock.

    Args:
        progress: told that it waits, and for what.

    Raises:
        OutputError: no lock file can be written in the cache.
    """
    path = _lock_path(folder)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        _acquire(lock, progress)
    except OSError as error:
        raise unwritable(path, error) from None
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, progress: Progress) -> None:
    try:
        lock.acquire(blocking=False)
        return
    except Timeout:
        pass
    with progress("Waiting for another process, which prepares the same data", 1) as advance:
        while not lock.is_locked:
            try:
                lock.acquire(timeout=PATIENCE)
            except Timeout:
                advance(0)
        advance(1)


def _lock_path(folder: Path) -> Path:
    name = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:32]
    return cache_home() / "locks" / f"{name}.lock"
