"""Measures how long a device waits for its data."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import torch

T = TypeVar("T")


class Clock:
    """Measures pictures per second, and the share of the time spent waiting for batches.

    On a CPU that is the time it takes to make batches. A CUDA device works while the next batch is made, so its idle
    time is measured by events in its stream.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._waits: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
        self.restart()

    def restart(self) -> None:
        """Start measuring again."""
        self._waits.clear()
        self._waited, self._start = 0.0, time.perf_counter()

    def waiting_for(self, items: Iterable[T]) -> Iterator[T]:
        """The items; the time until the next item counts as waiting."""
        iterator = iter(items)
        while True:
            before = self._now()
            try:
                item = next(iterator)
            except StopIteration:
                return
            self._count(before, self._now())
            yield item

    def read(self, pictures: int) -> dict[str, float]:
        """Pictures per second and the share of waiting, in [0, 1], over the `pictures` since the last reading."""
        if self._cuda:
            torch.cuda.synchronize()
            self._waited = sum(before.elapsed_time(after) for before, after in self._waits) / 1000
        seconds = max(time.perf_counter() - self._start, 1e-9)
        share = min(1.0, self._waited / seconds)
        self.restart()
        return {"speed/images_per_second": pictures / seconds, "waiting/for_data": share}

    def _now(self) -> float | torch.cuda.Event:
        if not self._cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def _count(self, before: float | torch.cuda.Event, after: float | torch.cuda.Event) -> None:
        if isinstance(before, float) and isinstance(after, float):
            self._waited += after - before
        elif isinstance(before, torch.cuda.Event) and isinstance(after, torch.cuda.Event):
            self._waits.append((before, after))
