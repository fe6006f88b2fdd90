"""How many pictures each key may ask for in a minute: a bucket that fills evenly and holds one minute's."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import final

from t2i_server.errors import busy

MOST_KEYS = 10_000  # remembered


@final
class Rate:
    """Counts pictures by key."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            per_minute: 0 for no limit.
        """
        self._per_minute, self._clock = per_minute, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # pictures left, and when that was

    def spend(self, key: str, pictures: int) -> None:
        """
        Raises:
            ApiError: 429, the key has asked for too many; nothing is spent.
        """
        if not self._per_minute:
            return
        now, most = self._clock(), float(self._per_minute)
        left, then = self._left.get(key, (most, now))
        left = min(most, left + (now - then) * most / 60)
        if pictures > left:
            limit = f"Each key may ask for {self._per_minute} pictures a minute; yours has {int(left)} left"
            message = f"{limit}, got {pictures}. Ask {'later' if pictures <= most else 'for fewer'}."
            raise busy(message, "rate_limit_exceeded", (min(pictures, most) - left) * 60 / most)
        self._left[key] = (left - pictures, now)
        self._left.move_to_end(key)
        if len(self._left) > MOST_KEYS:
            self._left.popitem(last=False)
