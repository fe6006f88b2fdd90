"""Conditions of a search."""

from __future__ import annotations

import re
import time
from dataclasses import astuple, dataclass
from datetime import datetime

from t2i.arguments import check_whole_number, shown
from t2i.errors import InvalidInputError
from t2i.seeds import MAX_SEED
from t2i_index.record import Kind

AGO = re.compile(r"(\d{1,6})\s*(m|h|d|w|min|hours?|days?|weeks?)")
SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
KINDS = ("picture", "text")


@dataclass(frozen=True)
class Filters:
    """Conditions, all of which a record must meet; a default means no condition.

    Attributes:
        model: the model's name, or a technique, which includes all of its tags.
        seed: in [0, 2**63).
        since: the earliest time, in seconds since 1970.
        run: the command that made it.
        kind: "picture" or "text".
        min_score: the lowest score; records without a score are left out.
    """

    model: str = ""
    seed: int | None = None
    since: float | None = None
    run: str = ""
    kind: Kind | None = None
    min_score: float | None = None

    def __post_init__(self) -> None:
        """
        Raises:
            InvalidInputError: the seed or the kind is not valid.
        """
        if self.seed is not None:
            check_whole_number(self.seed, "A seed", 0, MAX_SEED)
        if self.kind is not None and self.kind not in KINDS:
            raise InvalidInputError(f"A kind must be picture or text, got {shown(self.kind)}.")

    def __bool__(self) -> bool:
        return any(value not in ("", None) for value in astuple(self))

    def sql(self) -> tuple[str, list[object]]:
        """Conditions on the table `record`, joined by AND ("1" if there is none), and their parameters."""
        conditions: list[tuple[str, list[object]]] = []
        if self.model:
            below = self.model.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + ".%"
            conditions.append(("(record.model = ? OR record.model LIKE ? ESCAPE '\\')", [self.model, below]))
        if self.seed is not None:
            conditions.append(("record.seed = ?", [self.seed]))
        if self.since is not None:
            conditions.append(("record.time >= ?", [self.since]))
        if self.run:
            conditions.append(("record.run = ?", [self.run]))
        if self.kind:
            conditions.append(("record.kind = ?", [self.kind]))
        if self.min_score is not None:
            conditions.append(("record.score >= ?", [self.min_score]))
        return " AND ".join(text for text, _ in conditions) or "1", [value for _, held in conditions for value in held]


def parse_since(text: str) -> float:
    """A time such as "2026-11-26", "2026-11-26 14:30" (local time), "3 days" or "12h" (ago), in seconds since 1970.

    Raises:
        InvalidInputError: it is neither.
    """
    if ago := AGO.fullmatch(text.strip().lower()):
        return time.time() - int(ago[1]) * SECONDS[ago[2][0]]
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError, OSError):
        raise InvalidInputError(
            f"A time must be a date such as 2026-11-26, or an age such as 12h, 3d or 2w, got {shown(text)}."
        ) from None
