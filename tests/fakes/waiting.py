"""Waiting for what a started program does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Process(Protocol):
    """A program that was started: subprocess.Popen or ForkedCommand."""

    def poll(self) -> int | None: ...


def wait_until(happened: Callable[[], object], process: Process, seconds: float = 120) -> None:
    """Return as soon as `happened()` is true, or the program has ended; the caller looks at which.

    Raises:
        TimeoutError: neither came about in `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not happened() and process.poll() is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s the program still runs, and what was waited for has not happened")
        time.sleep(0.005)
