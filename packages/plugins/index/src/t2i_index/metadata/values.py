"""Values of a picture's metadata, which anybody may have written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from t2i.seeds import MAX_SEED

MOST_TEXT = 100_000  # characters of a prompt; longer ones are cut
MOST_JSON = 4_000_000  # characters of one metadata field that are read


def parse_object(text: str) -> dict[str, Any] | None:
    """A JSON object; None if the text is not one, too long, or too deeply nested."""
    if len(text) > MOST_JSON:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def as_text(value: object) -> str:
    """A string of at most MOST_TEXT characters, without surrounding white space; "" for any other value."""
    return value.strip()[:MOST_TEXT] if isinstance(value, str) else ""


def as_seed(value: object) -> int | None:
    """A seed in [0, 2**63); None for any other value."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    is_seed = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SEED
    return value if is_seed and isinstance(value, int) else None


def simple(values: Mapping[str, object]) -> dict[str, Any]:
    """The values that are short texts, numbers or booleans."""
    return {
        key: value[:500] if isinstance(value, str) else value
        for key, value in list(values.items())[:100]
        if (isinstance(value, str) and value) or (isinstance(value, bool | int | float) and abs(value) < 2**63)
    }
