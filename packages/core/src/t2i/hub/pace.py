"""Ends responses that are sent too slowly or without end. Imports no client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

PATIENCE_SECONDS = 60.0  # a response must make progress in each such period
SLOWEST = 10_000  # bytes per second: a model of 10 MB then takes a quarter of an hour


class TooSlowError(Exception):
    """A server sends less than SLOWEST bytes per second."""


class TooLargeError(Exception):
    """A response is larger than any real one."""


class Paced:
    """The body of a response, with limits on speed and size."""

    def __init__(self, stream: Any, most: int | None) -> None:
        """
        Args:
            stream: the response's `stream`, an iterable of bytes that can be closed.
            most: the most bytes that are read; by default there is no limit.
        """
        self._stream, self._most = stream, most

    def __iter__(self) -> Iterator[bytes]:
        """
        Raises:
            TooSlowError, TooLargeError: the response exceeds a limit.
        """
        start, lately, total = time.monotonic(), 0, 0
        for part in self._stream:
            total, lately = total + len(part), lately + len(part)
            if self._most is not None and total > self._most:
                raise TooLargeError(f"its response has more than {self._most} bytes")
            yield part
            if time.monotonic() - start >= PATIENCE_SECONDS:
                if lately < SLOWEST * PATIENCE_SECONDS:
                    raise TooSlowError(
                        f"it sent less than {SLOWEST // 1000} kB per second for {PATIENCE_SECONDS:g} s: try again later"
                    )
                start, lately = time.monotonic(), 0

    def close(self) -> None:
        """Close the response."""
        self._stream.close()


def paced(stream: Any, most: int | None) -> Any:
    """The stream of a response with limits; it keeps the base class that the client requires."""
    base = type(stream).__mro__[-2]
    return type("PacedStream", (Paced, base), {})(stream, most)
