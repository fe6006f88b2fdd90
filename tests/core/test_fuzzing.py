"""Fuzzes every reader of untrusted files with a few inputs; `nox -s fuzz` uses thousands."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzzing.readers import readers
from fuzzing.run import fuzz

NAMES = (
    "config",
    "header",
    "state",
    "provenance",
    "metadata.jsonl",
    "metadata.csv",
    "captions.json",
    "sidecar.json",
    "zip",
    "svg",
    "tar",
    "settings",
    "catalog.csv",
    "catalog.jsonl",
    "story",
)


@pytest.mark.parametrize("name", NAMES)
def test_any_file_is_read_or_refused_with_a_short_message(name: str, tmp_path: Path) -> None:
    found = {reader.name: reader for reader in readers(tmp_path)}
    assert tuple(found) == NAMES
    counts, _ = fuzz(found[name], 25)
    assert sum(counts.values()) >= 25 and counts["refused"] + counts["read"] == sum(counts.values())
