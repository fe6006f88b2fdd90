"""Two workers of the engine local against one process, after both have opened what they need.

The tasks that wait scale with the workers alone; the pictures also need a core for each worker. The overhead of a shard
is that of a task that does nothing.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable

os.environ["OMP_NUM_THREADS"] = "1"  # in this process and in its workers

from measure import functions, line, ratio

from t2i.create import create_engine
from t2i.drawing.folder_plan import plan_folder
from t2i.drawing.spread import FolderWorker, shards
from t2i.engine import Engine, OneProcess
from t2i.registry.describe import DEFAULT_MODEL

GOAL = 1.7
WAITS, WAIT_SECONDS = 60, 0.05
EMPTY = 500
SHARDS, SHARD = 14, 32  # of which pictures each
RUNS = 3


def waiting() -> Callable[[int], None]:
    return lambda number: time.sleep(WAIT_SECONDS)


def nothing() -> Callable[[int], None]:
    return lambda number: None


def seconds_to_draw(engine: Engine) -> float:
    """Draw shards into a new folder; seconds from the second one, when every worker has the model, to the last."""
    plan = plan_folder(["a red heart"], range(SHARDS * SHARD))
    with tempfile.TemporaryDirectory() as folder:
        worker = FolderWorker(DEFAULT_MODEL, folder, device="cpu", batch_size=SHARD)
        for number, _ in enumerate(engine.map(worker, shards(plan, SHARD)), start=1):
            if number == 2:
                began = time.perf_counter()
        return time.perf_counter() - began


def run() -> None:
    import torch

    torch.set_num_threads(1)
    began = time.perf_counter()
    with create_engine("local:2") as two:
        one = OneProcess()
        list(two.map(nothing, range(2)))
        line("start of Ray and two workers", f"{time.perf_counter() - began:.1f} s")

        alone, both = functions(
            lambda: list(one.map(waiting, range(WAITS))), lambda: list(two.map(waiting, range(WAITS))), runs=RUNS
        )
        line(f"{WAITS} tasks that wait {WAIT_SECONDS} s", f"{ratio(alone, both):.2f}x", f"at least {GOAL}x")

        alone, both = functions(
            lambda: list(one.map(nothing, range(EMPTY))), lambda: list(two.map(nothing, range(EMPTY))), runs=RUNS
        )
        line("overhead of a shard", f"{(both.median - alone.median) / EMPTY * 1e3:.2f} ms")

        pairs = [(seconds_to_draw(one), seconds_to_draw(two)) for _ in range(RUNS)]
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        per_second = [(SHARDS - 2) * SHARD / statistics.median(side) for side in zip(*pairs, strict=True)]
        line(
            f"pictures of {DEFAULT_MODEL}, one thread a worker, {cores} cores",
            f"{statistics.median(a / b for a, b in pairs):.2f}x ({per_second[0]:.1f}/s, {per_second[1]:.1f}/s)",
            f"at least {GOAL}x with two free cores",
        )
