"""What this machine has: main memory, memory of the device, free disk. Imports no torch."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from t2i.errors import OutputError

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")
SPARE_BYTES = 500_000_000  # of the disk, which stay free


def main_memory() -> int | None:
    """Bytes of main memory that this process may use; None if the system does not say."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    try:
        limit = CGROUP_LIMIT.read_text().strip()
    except OSError:
        limit = "max"
    return min(total, int(limit)) if limit.isdigit() else total


def check_disk(folder: Path, needed: int, what: str) -> None:
    """
    Raises:
        OutputError: the disk of `folder` has less free space than `needed` bytes and a spare.
    """
    there = folder
    while not there.exists():
        there = there.parent
    free = shutil.disk_usage(there).free
    if free < needed + SPARE_BYTES:
        raise OutputError(
            f"The download of {what} takes {gigabytes(needed)}, but the disk of {folder} has {gigabytes(free)} free. "
            f"Free some space (`hf cache ls`), or set HF_HUB_CACHE to a folder on another disk."
        )


def gigabytes(size: int) -> str:
    """ "6.9 GB" """
    return f"{size / 10**9:.1f} GB"
