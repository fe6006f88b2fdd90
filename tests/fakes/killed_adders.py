"""Eight processes that add to one index and are killed, a hundred in all; run as a program, it forks quickly.

Prints the hash of every record that was acknowledged before its process was killed. The argument is the index's file.
"""

from __future__ import annotations

import os
import random
import select
import signal
import sys
import time
import traceback
from pathlib import Path

import numpy as np
import usearch.index  # noqa: F401  before the forks: it takes longer to import than a child lives

import t2i_index.segments as segments
from t2i_index.record import Entry, Record, hashed
from t2i_index.sqlite_store import SQLiteStore

PROCESSES, ROUNDS, DIM, STEP = 8, 13, 16, 8


def vector_of(name: str) -> np.ndarray:
    """A unit vector of a record."""
    vector = np.random.default_rng(abs(hashed(name))).normal(size=DIM)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def add_until_killed(file: Path, number: int, acknowledged: int) -> None:
    """Add records one by one; write each one's hash to the descriptor `acknowledged` once it is added."""
    store = SQLiteStore(file, wait_seconds=20)
    for count in range(1_000_000):
        name = f"{number}-{count}"
        record = Record("picture", f"picture {name}", path=f"/pictures/{name}.png", sha256=name, time=0.0)
        store.add([Entry(record, meaning=vector_of(name))])
        os.write(acknowledged, f"{name}\n".encode())


def wait_for_neighbours(file: Path) -> None:
    """Wait until a file of neighbours is in use, at most a minute."""
    store = SQLiteStore(file, wait_seconds=20)
    end = time.monotonic() + 60
    while not store._neighbours["meaning"].segments.opened()[0] and time.monotonic() < end:
        time.sleep(0.01)
    store.close()


def main(file: Path) -> None:
    """Fork, kill and print, round by round."""
    random.seed(0)
    segments.STEP = STEP  # a file of neighbours is written often
    for round_ in range(ROUNDS):
        read, write = os.pipe()
        children = []
        for index in range(PROCESSES):
            child = os.fork()
            if child == 0:
                try:
                    add_until_killed(file, PROCESSES * round_ + index, write)
                except BaseException:
                    traceback.print_exc()
                os._exit(1)
            children.append(child)
        os.close(write)
        select.select([read], [], [], 30)  # until a record was acknowledged, however busy the machine is
        if round_ == 0:
            wait_for_neighbours(file)
        for child in random.sample(children, PROCESSES):
            time.sleep(random.uniform(0, 0.03))
            os.kill(child, signal.SIGKILL)
        statuses = [os.waitpid(child, 0)[1] for child in children]
        assert all(os.WTERMSIG(status) == signal.SIGKILL for status in statuses), statuses
        with os.fdopen(read) as lines:
            sys.stdout.writelines(line for line in lines if line.endswith("\n"))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
