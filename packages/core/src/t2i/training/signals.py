"""Handles Ctrl-C and SIGTERM as a request to finish the step, save, and stop."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import FrameType

from t2i.interrupts import as_one, handling


def interruptible(stop: Callable[[], None]) -> AbstractContextManager[None]:
    """Turn the first Ctrl-C or SIGTERM into a call of `stop`; a later Ctrl-C interrupts at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        stop()
        signal.signal(signal.SIGINT, as_one(signal.default_int_handler))

    return handling(dict.fromkeys((signal.SIGINT, signal.SIGTERM), as_one(handle)))
