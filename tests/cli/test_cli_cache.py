"""`t2i cache`: entries are listed, and only unused entries of t2i are removed."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from fakes.command_line import T2I
from fakes.processes import in_child
from t2i.cache import DAY, entries
from t2i.data.pack.partial_folder import alone, scratch_of

OLD, NEW = 40 * DAY, DAY
HEX = "0123456789abcdef" * 2


@pytest.fixture
def kept(t2i_cache: Path) -> Path:
    """A cache with old and new entries, and files that are not t2i's."""
    now = time.time()
    for name, size, age in (
        (f"packs/{HEX}/images.bin", 1000, OLD),
        (f"packs/{HEX[::-1]}/images.bin", 2000, NEW),
        (f"packs/.{HEX[1:]}0.unfinished/images.bin", 500, OLD),
        (f"evaluations/{HEX}.safetensors", 30, OLD),
        (f"locks/{HEX}.lock", 0, OLD),
        ("packs/my own notes.txt", 7, OLD),
        ("Documents/thesis.tex", 9, OLD),
    ):
        path = t2i_cache / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        for each in (path, path.parent):
            os.utime(each, (now - age,) * 2)
    return t2i_cache


def files(folder: Path) -> set[str]:
    """The files' paths, without reading the files, which would count as use."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_the_table_lists_the_entries(t2i: T2I, kept: Path) -> None:
    result = t2i("cache", "info")
    rows = {line.split()[0]: line for line in result.out.splitlines()}
    assert result.code == 0 and rows["packs"].endswith("datasets, decoded for training")
    assert rows["packs"].split()[1] == "4" and "t2i cache prune" in result.err and "hf cache" in result.err


def test_the_json_has_numbers(t2i: T2I, kept: Path) -> None:
    found = json.loads(t2i("cache", "info", "--json").out)
    assert found["folder"] == str(kept) and isinstance(found["hugging_face"]["size_bytes"], int)
    first, *others = [entry["size_bytes"] for entry in found["kinds"]["packs"]]
    assert first == 2000 and sorted(others) == [7, 500, 1000]


def test_only_old_files_of_t2i_are_removed(t2i: T2I, kept: Path) -> None:
    before = files(kept)
    dry = t2i("cache", "prune", "--dry-run")
    assert files(kept) == before and "3 entries would be removed" in dry.err
    result = t2i("cache", "prune")
    assert result.out == dry.out and "3 entries removed" in result.err
    assert files(kept) == {
        *(f"packs/{HEX[::-1]}/images.bin", f"locks/{HEX}.lock", "packs/my own notes.txt", "Documents/thesis.tex")
    }


def test_kinds_and_ages_can_be_chosen(t2i: T2I, kept: Path) -> None:
    assert "1 entries removed" in t2i("cache", "prune", "--kind", "evaluations").err
    assert "2 entries removed" in t2i("cache", "prune", "--days", "2").err
    assert "1 entries removed" in t2i("cache", "prune", "--all").err
    assert "got pakcs" in t2i("cache", "prune", "--kind", "pakcs").error


def test_folders_that_another_process_writes_are_kept(t2i: T2I, kept: Path) -> None:
    folder = kept / "packs" / HEX
    scratch_of(folder).mkdir()
    with alone(folder):
        assert os.waitstatus_to_exitcode(in_child(lambda: t2i("cache", "prune", "--all"))) == 0
        assert folder.is_dir() and scratch_of(folder).is_dir()
    assert t2i("cache", "prune", "--all").code == 0
    assert not folder.exists() and not scratch_of(folder).exists()


def test_an_empty_cache_is_not_an_error(t2i: T2I, t2i_cache: Path) -> None:
    t2i_cache.rmdir()
    assert t2i("cache", "info").code == 0 and entries() == []
    assert "0 entries removed" in t2i("cache", "prune").err
