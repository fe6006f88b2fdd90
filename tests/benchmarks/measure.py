"""Timing as ratios: two things measured in turn, A B A B ..., so that a drifting machine harms both alike."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """Seconds and peak resident MiB of one thing, over the runs."""

    seconds: tuple[float, ...]
    peak_mib: float = 0.0

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def commands(*lines: Sequence[str], runs: int = 5, env: dict[str, str] | None = None) -> list[Measured]:
    """Run whole commands in turn, one warm-up round first; peak memory is the largest of each one's runs."""
    seconds: list[list[float]] = [[] for _ in lines]
    peaks = [0.0 for _ in lines]
    for round_ in range(runs + 1):
        for index, line in enumerate(lines):
            start = time.perf_counter()
            process = subprocess.Popen(
                line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, **(env or {})}
            )
            error = process.stderr.read()  # type: ignore[union-attr]
            _, status, usage = os.wait4(process.pid, 0)
            took = time.perf_counter() - start
            if status:
                raise RuntimeError(f"{' '.join(line)} failed: {error.decode()}")
            if round_:
                seconds[index].append(took)
                peaks[index] = max(peaks[index], usage.ru_maxrss / 1024)
    return [Measured(tuple(each), peak) for each, peak in zip(seconds, peaks, strict=True)]


def functions(*calls: Callable[[], object], runs: int = 5) -> list[Measured]:
    """Call functions in turn, one warm-up round first."""
    seconds: list[list[float]] = [[] for _ in calls]
    for round_ in range(runs + 1):
        for index, call in enumerate(calls):
            start = time.perf_counter()
            call()
            if round_:
                seconds[index].append(time.perf_counter() - start)
    return [Measured(tuple(each)) for each in seconds]


def ratio(measured: Measured, other: Measured) -> float:
    """The median over the runs of measured / other, pair by pair."""
    return statistics.median(a / b for a, b in zip(measured.seconds, other.seconds, strict=True))


def line(what: str, value: str, goal: str = "") -> None:
    """One row of the report."""
    print(f"  {what:<66}{value:>12}{'   ' + goal if goal else ''}", flush=True)
