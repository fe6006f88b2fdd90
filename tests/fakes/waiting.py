"""Waits for effects of a started program."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Process(Protocol):
    """A program that was started: subprocess.Popen or ForkedCommand."""

    def poll(self) -> int | None: ...


def wait_until(happened: Callable[[], object], process: Process, seconds: float = 120) -> None:
    """Return as soon as `happened()` is true or the program has ended; the caller checks which.

    Raises:
        TimeoutError: neither happened within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not happened() and process.poll() is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s the program still runs, and the condition is still false")
        time.sleep(0.005)
