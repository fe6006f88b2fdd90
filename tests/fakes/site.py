"""The plugin of tests/fakes as an installed distribution, for processes that a test or a benchmark starts."""

from __future__ import annotations

import os
from pathlib import Path

TESTS = Path(__file__).parents[1]


def python_path(folder: Path) -> str:
    """Describe the distribution in an empty folder; returns a PYTHONPATH with which processes find the plugin."""
    facts = folder / "fakes-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: fakes\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[t2i]\nfakes = fakes\n")
    return os.pathsep.join(filter(None, [str(folder), str(TESTS), os.environ.get("PYTHONPATH", "")]))
