"""Waits for effects of a started program, or of this one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Process(Protocol):
    """A program that was started: subprocess.Popen or ForkedCommand."""

    def poll(self) -> int | None: ...


def wait_until(
    happened: Callable[[], object], process: Process | None = None, seconds: float = 120, pause: float = 0.005
) -> None:
    """Return as soon as `happened()` is true or the program, if there is one, has ended; the caller checks which.

    Args:
        pause: seconds between two looks.

    Raises:
        TimeoutError: neither happened within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not happened() and (process is None or process.poll() is None):
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds} s the condition is still false, and no program has ended")
        time.sleep(pause)
