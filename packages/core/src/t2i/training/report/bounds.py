"""Scores of held-out pictures between their bounds: chance, and what real pictures reach."""

from __future__ import annotations

from collections.abc import Sequence

from t2i.training.report.curves import Row

SCORES = "held_out"
"""The player under which metrics.jsonl keeps scores of held-out pictures."""

NEAR = 0.1  # share of the way from chance to 1


def bounds(score: str) -> tuple[str, str]:
    """The names of a score's ceiling and chance."""
    return f"{score}_ceiling", f"{score}_chance"


def sentences(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """A sentence on the newest value of each score with bounds, and its kind: "score", or "warning" if the evaluator
    cannot be trusted, because real pictures score near chance, or clearly lower than drawn ones.
    """
    found = []
    for name in sorted({name for row in rows for name in row if name.startswith(f"{SCORES}/")}):
        row = next(row for row in reversed(rows) if name in row)
        value, ceiling, chance = (row.get(each) for each in (name, *bounds(name)))
        if value is None or ceiling is None or chance is None:
            continue
        near = NEAR * (1 - chance)
        doubtful = ceiling < chance + near or value > ceiling + near
        sentence = (
            f"At step {row['step']:,.0f}, held-out {name.removeprefix(f'{SCORES}/')} is {value:.3g}; real pictures "
            f"reach {ceiling:.3g}, and chance is {chance:.3g}."
        )
        doubt = " Its evaluator does not read these pictures well, so the score means little." if doubtful else ""
        found.append((sentence + doubt, "warning" if doubtful else "score"))
    return found
