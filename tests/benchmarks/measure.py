"""Timing as ratios: two things are measured in turn, A B A B ..., so that changes of the machine affect both."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """Seconds by the clock and, of commands, peak resident MiB and seconds of processor time, over the runs."""

    seconds: tuple[float, ...]
    peak_mib: float = 0.0
    processor: tuple[float, ...] = ()

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


ALONE = """
import os, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.call(sys.argv[2:], stdout=subprocess.DEVNULL)
took = time.perf_counter() - start
used = resource.getrusage(resource.RUSAGE_CHILDREN)
os.write(int(sys.argv[1]), f"{took} {used.ru_maxrss} {used.ru_utime + used.ru_stime}".encode())
sys.exit(code)
"""  # a process's peak includes its parent's memory at the start, so the parent is small


def commands(*lines: Sequence[str], runs: int = 5, env: dict[str, str] | None = None) -> list[Measured]:
    """Run whole commands in turn, after one warm-up round; peak memory is the highest of a command's runs."""
    seconds: list[list[float]] = [[] for _ in lines]
    processor: list[list[float]] = [[] for _ in lines]
    peaks = [0.0 for _ in lines]
    for round_ in range(runs + 1):
        for index, line in enumerate(lines):
            took, peak, used = _alone(line, {**os.environ, **(env or {})})
            if round_:
                seconds[index].append(took)
                processor[index].append(used)
                peaks[index] = max(peaks[index], peak)
    return [
        Measured(tuple(took), peak, tuple(used)) for took, peak, used in zip(seconds, peaks, processor, strict=True)
    ]


def _alone(line: Sequence[str], env: dict[str, str]) -> tuple[float, float, float]:
    """Seconds, peak MiB, and seconds of processor time of one command."""
    read, write = os.pipe()
    command = [sys.executable, "-S", "-c", ALONE, str(write), *line]
    with os.fdopen(read, "rb") as report:
        done = subprocess.run(command, stderr=subprocess.PIPE, env=env, pass_fds=[write])
        os.close(write)
        if done.returncode:
            raise RuntimeError(f"{' '.join(line)} failed: {done.stderr.decode()}")
        took, kibibytes, used = report.read().split()
    return float(took), int(kibibytes) / 1024, float(used)


def functions(
    *calls: Callable[[], object], runs: int = 5, clock: Callable[[], float] = time.perf_counter
) -> list[Measured]:
    """Call functions in turn, after one warm-up round; `time.process_time` is not disturbed by other processes."""
    seconds: list[list[float]] = [[] for _ in calls]
    for round_ in range(runs + 1):
        for index, call in enumerate(calls):
            start = clock()
            call()
            if round_:
                seconds[index].append(clock() - start)
    return [Measured(tuple(each)) for each in seconds]


def ratio(measured: Measured, other: Measured) -> float:
    """The median over the runs of measured / other, pair by pair."""
    return statistics.median(a / b for a, b in zip(measured.seconds, other.seconds, strict=True))


def processor_ratio(measured: Measured, other: Measured) -> float:
    """The same of two commands' processor time, which other processes hardly disturb."""
    return statistics.median(a / b for a, b in zip(measured.processor, other.processor, strict=True))


def line(what: str, value: str, goal: str = "") -> None:
    """One row of the report."""
    print(f"  {what:<66}{value:>12}{'   ' + goal if goal else ''}", flush=True)
