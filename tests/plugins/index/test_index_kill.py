"""kill -9 at a hundred points while eight processes add: no acknowledged record is lost, and the file opens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from fakes.killed_adders import PROCESSES, ROUNDS, STEP, vector_of
from fakes.killed_adders import __file__ as adders
from t2i_index.filters import Filters
from t2i_index.sqlite_store import SQLiteStore


def test_no_acknowledged_record_is_lost(tmp_path: Path):
    file = tmp_path / "index.sqlite"
    done = subprocess.run([sys.executable, adders, str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    promised = {*done.stdout.split()}
    store = SQLiteStore(file)
    assert promised <= {record.sha256 for record in store.all()}
    assert len(promised) > PROCESSES * ROUNDS / 4  # records were acknowledged before the kills
    assert store.check() == []
    covered = {graph.size for graph in store._neighbours["meaning"].segments.opened()[0]}
    assert covered and max(covered) >= STEP  # files were written between the kills
    for name in sorted(promised)[:: max(1, len(promised) // 50)]:
        (found,) = store.records(store.by_vector("meaning", vector_of(name), Filters(), 1))
        assert found.sha256 == name
