"""Values that users pass by mistake instead of a whole number."""

from __future__ import annotations

NO_NUMBERS = (None, "1", "two", True, False, 1.0, 1.5, float("nan"), [1], [[1]], b"1", {})
