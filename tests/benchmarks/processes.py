"""Two processes on this machine's cores against one, with the same total batch."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import line

STEPS, ROUNDS = 30, 3
SETTINGS = ("objective.reconstruct_first=0", "train.precision=no", "train.log_every=10", "train.tracker=none")
RUN = ("--recipe", "openmoji64", "--data", "openmoji", "--device", "cpu", "--steps", str(STEPS))


def run() -> None:
    cores = os.cpu_count() or 1
    speeds: dict[int, list[float]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(ROUNDS):
            for processes, found in speeds.items():
                found.append(images_per_second(Path(scratch) / f"{number}-{processes}", processes))
    one, two = (statistics.median(found) for found in speeds.values())
    ratio = statistics.median(b / a for a, b in zip(*speeds.values(), strict=True))
    line(f"one process, {cores} threads, cgan at 64 px, batch 32", f"{one:.1f} images/s")
    line(f"two processes, {cores // 2 or 1} threads each, 16 pictures each", f"{two:.1f} images/s")
    line("  ratio", f"{ratio:.2f} x")
    print(
        "  The same cores do the same arithmetic either way. Two processes gain because fewer threads wait for each\n"
        "  other at the end of every small kernel. They lose time to the flat all-reduce of each player's gradient,\n"
        "  to optimisers and averages that run twice, and to kernels that are less efficient with\n"
        "  16 pictures than with 32."
    )


def images_per_second(folder: Path, processes: int) -> float:
    """The median of a run's own readings, without the first one, which is a warm-up."""
    command = [
        sys.executable,
        "-m",
        "t2i",
        "train",
        "cgan",
        *SETTINGS,
        "train.tracker=none",
        *RUN,
        "--out",
        str(folder),
    ]
    if processes > 1:
        command += ["--processes", str(processes)]
    subprocess.run(command, check=True, capture_output=True)
    rows = [json.loads(row) for row in (folder / "metrics.jsonl").read_text().splitlines()]
    return statistics.median(row["speed/images_per_second"] for row in rows[1:])
