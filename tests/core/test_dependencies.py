"""No lower bound of a dependency allows a version with a known vulnerability."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

FIXED = {
    "filelock": "3.20.3",  # CVE-2025-68146, CVE-2026-22701
    "jinja2": "3.1.6",  # CVE-2025-27516
    "pillow": "12.1.1",  # CVE-2026-25990
    "pyyaml": "6.0.4",  # merge keys that grow exponentially
    "starlette": "0.49.1",  # CVE-2025-62727
    "torch": "2.10",  # CVE-2025-32434, CVE-2026-24747
    "torchvision": "0.25",  # for that torch
}
PROJECTS = sorted(Path(__file__).parents[2].glob("packages/**/pyproject.toml"))


@pytest.mark.parametrize("project", PROJECTS, ids=lambda path: path.parent.name)
def test_no_lower_bound_allows_a_vulnerable_version(project: Path) -> None:
    facts = tomllib.loads(project.read_text())["project"]
    extras = [line for lines in facts.get("optional-dependencies", {}).values() for line in lines]
    for line in (*facts.get("dependencies", ()), *extras):
        needed = Requirement(line)
        if fixed := FIXED.get(needed.name.lower()):
            floors = [part.version for part in needed.specifier if part.operator in (">=", "~=", "==")]
            assert floors, f"{line} has no lower bound"
            older = Requirement(f"x<{fixed}").specifier
            assert not any(older.contains(floor, prereleases=True) for floor in floors), f"{line}: use >={fixed}"
