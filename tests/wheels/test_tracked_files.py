"""The repository stays small: every clone takes all of it, and history keeps what was ever committed."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MIB = 2**20


def test_no_file_has_16_mib_and_all_together_less_than_96() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    sizes = {name: (ROOT / name).stat().st_size for name in listed.decode().split("\0") if (ROOT / name).is_file()}
    assert len(sizes) > 1000
    assert not [name for name, size in sizes.items() if size >= 16 * MIB]
    assert sum(sizes.values()) < 96 * MIB
