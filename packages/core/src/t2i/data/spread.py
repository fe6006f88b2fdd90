"""Which of many pictures are looked at, when all of them would take too long."""

from __future__ import annotations

import numpy as np


def spread(count: int, most: int) -> np.ndarray:
    """Up to `most` positions in a sequence of `count` items, evenly spread, with both ends."""
    return np.linspace(0, count - 1, min(most, count)).astype(np.int64)
