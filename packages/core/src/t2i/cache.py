"""t2i's cache on this machine, and how to remove entries; all of them can be recreated."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from t2i.data.pack.partial_folder import is_being_filled, target_of
from t2i.files import cache_home, unwritable

KINDS = {
    "packs": "datasets, decoded for training",
    "features": "captions, encoded for training",
    "evaluations": "interrupted evaluations",
    "statistics": "statistics of real pictures",
    "step_times": "measured times of training steps",
    "heads": "features for training the bundled evaluator",
    "locks": "locks of folders that a process writes",
}
OWN_NAME = re.compile(r"[0-9a-f]{32}")  # part of the names of all entries of t2i and its plugins
DAY = 24 * 3600


@dataclass(frozen=True)
class Entry:
    """One file or folder in the cache.

    Attributes:
        kind: the folder it is in, such as one of KINDS.
        size_bytes: of all its files.
        used: when it was last read or written, in seconds since 1970. If the disk does not record reads, when it was
            written.
    """

    kind: str
    path: Path
    size_bytes: int
    used: float


def entries() -> list[Entry]:
    """All entries, by kind, the most recently used first."""
    found = []
    for folder in sorted(cache_home().iterdir()) if cache_home().is_dir() else ():
        if folder.is_dir() and not folder.is_symlink():
            found += [_entry(folder.name, path) for path in folder.iterdir()]
    return sorted(found, key=lambda entry: (entry.kind, -entry.used))


def prune(days: float, kinds: Collection[str] = (), *, dry_run: bool = False) -> list[Entry]:
    """Remove entries that were not used for `days` days.

    Files with names that are not t2i's, locks, and folders that another process is writing are kept.

    Args:
        kinds: only these; by default all.
        dry_run: remove nothing.

    Returns:
        The removed entries.

    Raises:
        OutputError: one cannot be removed; those before it are.
    """
    removed = []
    for entry in entries():
        old = time.time() - entry.used >= days * DAY
        ours = entry.kind != "locks" and OWN_NAME.search(entry.path.name)
        if old and ours and (not kinds or entry.kind in kinds) and not is_being_filled(target_of(entry.path)):
            if not dry_run:
                _remove(entry.path)
            removed.append(entry)
    return removed


def _entry(kind: str, path: Path) -> Entry:
    sizes, times = [0], [path.lstat().st_mtime]
    for file in _files(path):
        try:
            status = file.lstat()
        except OSError:  # removed meanwhile
            continue
        sizes.append(status.st_size)
        times += [status.st_mtime, status.st_atime]
    return Entry(kind, path, sum(sizes), max(times))


def _files(path: Path) -> Iterator[Path]:
    if path.is_dir() and not path.is_symlink():
        yield from (file for file in path.rglob("*") if file.is_symlink() or file.is_file())
    else:
        yield path


def _remove(path: Path) -> None:
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from None
