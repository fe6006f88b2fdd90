"""Cuts a text before the first of several strings, while it is still being written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final


@final
class StopCutter:
    """Takes a text piece by piece, and returns the part that is certainly before the first stop string.

    Attributes:
        stopped: whether one was found.
    """

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = [each for each in stop if each]
        self._held = ""  # may be the beginning of a stop string
        self.stopped = False

    def push(self, piece: str) -> str:
        """Add a piece; returns the new text that is certainly before a stop string."""
        if self.stopped:
            return ""
        text = self._held + piece
        found = [place for each in self._stop if (place := text.find(each)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        kept = max((self._overlap(text, each) for each in self._stop), default=0)
        self._held = text[len(text) - kept :]
        return text[: len(text) - kept]

    def finish(self) -> str:
        """Return the text held back, at the end of the answer."""
        held, self._held = self._held, ""
        return "" if self.stopped else held

    @staticmethod
    def _overlap(text: str, stop: str) -> int:
        """The number of characters at the end of `text` that are the beginning of `stop`; the largest such number."""
        return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if stop.startswith(text[-size:])), 0)
