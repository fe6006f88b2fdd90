"""A response that ends: a server that sends it too slowly, or without end, is given up. Imports no client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

PATIENCE_SECONDS = 60.0  # in each of which a response must make progress
SLOWEST = 10_000  # bytes a second: a model of 10 MB then takes a quarter of an hour


class TooSlowError(Exception):
    """A server sends less than SLOWEST bytes a second."""


class TooLargeError(Exception):
    """An answer is larger than any real one."""


class Paced:
    """The body of a response as its client reads it."""

    def __init__(self, stream: Any, most: int | None) -> None:
        """
        Args:
            stream: what the response has as its `stream`: an iterable of bytes that can be closed.
            most: the most bytes that are read; by default there is no limit.
        """
        self._stream, self._most = stream, most

    def __iter__(self) -> Iterator[bytes]:
        """
        Raises:
            TooSlowError, TooLargeError: see there.
        """
        start, lately, total = time.monotonic(), 0, 0
        for part in self._stream:
            total, lately = total + len(part), lately + len(part)
            if self._most is not None and total > self._most:
                raise TooLargeError(f"its answer has more than {self._most} bytes")
            yield part
            if time.monotonic() - start >= PATIENCE_SECONDS:
                if lately < SLOWEST * PATIENCE_SECONDS:
                    raise TooSlowError(
                        f"it sent less than {SLOWEST // 1000} kB a second for {PATIENCE_SECONDS:g} s: try again later"
                    )
                start, lately = time.monotonic(), 0

    def close(self) -> None:
        """Close the response."""
        self._stream.close()


def paced(stream: Any, most: int | None) -> Any:
    """The stream of a response, paced; it keeps the base class that its client asks for."""
    base = type(stream).__mro__[-2]
    return type("PacedStream", (Paced, base), {})(stream, most)
