"""Durations as people write them: "45s", "30m", "1h30m"."""

from __future__ import annotations

import re

from t2i.errors import InvalidInputError

UNITS = {"h": 3600, "m": 60, "s": 1}
WRITTEN = re.compile(r"(?=\d)(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")


def seconds_of(text: str) -> float:
    """ "1h30m" as seconds.

    Raises:
        InvalidInputError: it is not a duration of this form, or 0.
    """
    found = WRITTEN.fullmatch(text.strip().lower())
    seconds = (
        sum(int(part or 0) * unit for part, unit in zip(found.groups(), UNITS.values(), strict=True)) if found else 0
    )
    if not seconds:
        raise InvalidInputError(f"A duration must be like 30m, 1h30m or 45s, got {text!r}.")
    return float(seconds)


def shown_duration(seconds: float) -> str:
    """45.2 as "45 s", 1800 as "30 min", 5400 as "1 h 30 min"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
