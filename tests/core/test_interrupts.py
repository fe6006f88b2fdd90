"""Ctrl-C: which signals are one."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from t2i import interrupts
from t2i.interrupts import SAME_SECONDS, as_one
from t2i.training.signals import interruptible


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time, in its only element."""
    now = [1000.0]
    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(interrupts, "_first", float("-inf"))
    monkeypatch.setattr("t2i.interrupts.time.monotonic", lambda: now[0])
    yield now
    signal.signal(signal.SIGINT, before)


def test_signals_within_a_second_are_one(clock: list[float]) -> None:
    heard: list[int] = []
    signal.signal(signal.SIGINT, as_one(lambda number, frame: heard.append(number)))
    for later in (0.0, SAME_SECONDS / 2, SAME_SECONDS * 0.99):
        clock[0] = 1000 + later
        signal.raise_signal(signal.SIGINT)
    assert len(heard) == 1
    clock[0] = 1000 + SAME_SECONDS
    signal.raise_signal(signal.SIGINT)
    assert len(heard) == 2


def test_the_repeated_signal_may_reach_another_handler(clock: list[float]) -> None:
    """Such as that of the program, after a training has stopped quickly."""
    signal.signal(signal.SIGINT, as_one(signal.default_int_handler))
    stops: list[bool] = []
    with interruptible(lambda: stops.append(True)):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    assert stops == [True]


def test_a_later_one_interrupts_a_training_that_saves(clock: list[float]) -> None:
    stops: list[bool] = []
    with pytest.raises(KeyboardInterrupt), interruptible(lambda: stops.append(True)):
        signal.raise_signal(signal.SIGINT)
        clock[0] += SAME_SECONDS
        signal.raise_signal(signal.SIGINT)
    assert stops == [True]


def test_sigterm_is_no_ctrl_c(clock: list[float]) -> None:
    heard: list[int] = []
    handler = as_one(lambda number, frame: heard.append(number))
    for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
        handler(number, None)
    assert heard == [signal.SIGTERM, signal.SIGTERM, signal.SIGINT]
