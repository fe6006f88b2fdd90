"""Describes how a hit was made, in one line; imports no Pillow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from t2i_index.index import Hit

MOST_SEEDS = 6


def facts(hit: Hit) -> str:
    """One line: model, seeds, date."""
    record = hit.record
    seeds = [str(each.seed) for each in hit.stack if each.seed is not None]
    shortened = ", ".join(seeds[:MOST_SEEDS]) + (" ..." if len(seeds) > MOST_SEEDS else "")
    said = f"seed{'s' if len(seeds) > 1 else ''} {shortened}" if seeds else ""
    day = time.strftime("%Y-%m-%d %H:%M", time.localtime(record.time))
    return ", ".join(filter(None, (record.model or record.source, said, day)))
