"""A few inputs for every reader of untrusted files; `nox -s fuzz` gives them thousands."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzzing.readers import readers
from fuzzing.run import fuzz

NAMES = ("config", "header", "state", "provenance", "metadata.jsonl", "metadata.csv", "tar", "settings")


@pytest.mark.parametrize("name", NAMES)
def test_whatever_a_file_holds_it_is_read_or_refused_in_a_short_sentence(name: str, tmp_path: Path) -> None:
    found = {reader.name: reader for reader in readers(tmp_path)}
    assert tuple(found) == NAMES
    counts, _ = fuzz(found[name], 25)
    assert sum(counts.values()) >= 25 and counts["refused"] + counts["read"] == sum(counts.values())
