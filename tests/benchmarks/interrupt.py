"""Ctrl-C: from the signal to the end of the command, on real runs of the default model and of a training."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from measure import line

RUNS = 3
GOAL = "within 2 s"
SOON = ["train.log_every=1"]  # a row after the first step says that it trains
IMPORTED = 12.0  # seconds of processor time after which `evaluate` has imported everything and draws


def run() -> None:
    """Interrupt each command at RUNS random moments; on a busy machine, the processor's time tells more."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts with SIGINT ignored
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        data = ["--data", "openmoji"]
        for what, arguments, ready in (
            ("generate, into a folder", ["generate", "a red heart", "-n", "1000000"], drawing),
            ("evaluate, while it draws", ["evaluate", "cgan.world64"], importing),
            ("train, between steps", ["train", "cgan", "--recipe", "openmoji64", *data, *SOON], training),
        ):
            clock, processor = [], []
            for number in range(RUNS):
                folder = here / f"{what.split(',')[0]}-{number}"
                folder.mkdir()
                out = [] if what.startswith("evaluate") else ["-o" if ready is drawing else "--out", "out"]
                took, used = interrupted([*arguments, *out], folder, ready)
                clock.append(took)
                processor.append(used)
            line(f"{what}: longest of {RUNS}, processor time", f"{max(clock):.2f} s, {max(processor):.2f} s", GOAL)


def drawing(folder: Path, process: psutil.Process) -> bool:
    return any(folder.glob("out/0*.png"))


def importing(folder: Path, process: psutil.Process) -> bool:
    return used_by(process) > IMPORTED


def training(folder: Path, process: psutil.Process) -> bool:
    metrics = folder / "out" / "metrics.jsonl"
    return metrics.exists() and metrics.stat().st_size > 0


def interrupted(
    arguments: list[str], folder: Path, ready: Callable[[Path, psutil.Process], bool]
) -> tuple[float, float]:
    """Seconds of the clock and of the processor from SIGINT to the end of `t2i *arguments`, run in `folder`."""
    before = of_children()
    with (
        (folder / "output").open("w") as output,
        subprocess.Popen(
            [sys.executable, "-m", "t2i", *arguments], cwd=folder, stdout=output, stderr=output
        ) as process,
    ):
        watched = psutil.Process(process.pid)
        while not ready(folder, watched):
            if process.poll() is not None:
                raise RuntimeError(f"{arguments} ended early: {(folder / 'output').read_text()}")
            time.sleep(0.05)
        time.sleep(random.uniform(0, 2))
        used, begun = used_by(watched), time.perf_counter()
        process.send_signal(signal.SIGINT)
        code = process.wait()
        took = time.perf_counter() - begun
    if code != 130:
        raise RuntimeError(f"{arguments} ended with {code}: {(folder / 'output').read_text()}")
    return took, of_children() - before - used


def used_by(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
