"""Ctrl-C: signals within SAME_SECONDS count as one, because a runner such as `uv run` repeats the terminal's signal."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

SAME_SECONDS = 1.0  # from the first of them

Handler = Callable[[int, FrameType | None], object]

_first = float("-inf")  # when the latest Ctrl-C began, for all handlers


def as_one(handler: Handler) -> Handler:
    """The handler, without repeats: a SIGINT within SAME_SECONDS of one that any such handler received is ignored."""

    def heard(number: int, frame: FrameType | None) -> None:
        global _first
        if number == signal.SIGINT:
            now = time.monotonic()
            if now - _first < SAME_SECONDS:
                return
            _first = now
        handler(number, frame)

    return heard


@contextmanager
def handling(handlers: Mapping[signal.Signals, Handler]) -> Iterator[None]:
    """Handle these signals for the block; does nothing outside the main thread, which alone receives signals."""
    if not _in_main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def interrupt_once() -> None:
    """From now on, one Ctrl-C raises one KeyboardInterrupt; a process that ignores SIGINT keeps ignoring it."""
    usual = signal.default_int_handler
    if _in_main_thread() and signal.getsignal(signal.SIGINT) is usual:
        signal.signal(signal.SIGINT, as_one(usual))


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
