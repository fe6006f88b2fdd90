"""kill -9 at a hundred points while eight processes add: no acknowledged record is lost, and the file opens."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from plugins.index.conftest import picture
from t2i_index.sqlite_store import SQLiteStore

PROCESSES, ROUNDS = 8, 13


def _add_until_killed(file: Path, number: int, acknowledged: int) -> None:
    store = SQLiteStore(file, wait_seconds=20)
    for count in range(1_000_000):
        entry = picture(f"picture {number}", count, sha256=f"{number}-{count}")
        store.add([entry])
        os.write(acknowledged, f"{number}-{count}\n".encode())


def test_no_acknowledged_record_is_lost(tmp_path: Path):
    file = tmp_path / "index.sqlite"
    promised: set[str] = set()
    for round_ in range(ROUNDS):
        read, write = os.pipe()
        children = []
        for index in range(PROCESSES):
            child = os.fork()
            if child == 0:
                try:
                    _add_until_killed(file, PROCESSES * round_ + index, write)
                finally:
                    os._exit(1)
            children.append(child)
        os.close(write)
        time.sleep(0.03)
        for child in random.sample(children, PROCESSES):
            time.sleep(random.uniform(0, 0.03))
            os.kill(child, signal.SIGKILL)
        statuses = [os.waitpid(child, 0)[1] for child in children]
        assert all(os.WTERMSIG(status) == signal.SIGKILL for status in statuses)
        with os.fdopen(read) as lines:
            promised |= {line.strip() for line in lines if line.endswith("\n")}
    store = SQLiteStore(file)
    assert promised <= {record.sha256 for record in store.all()}
    assert len(promised) > PROCESSES * ROUNDS / 4  # records were acknowledged before the kills
    assert store.check() == []
