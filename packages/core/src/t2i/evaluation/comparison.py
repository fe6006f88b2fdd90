"""Several models under one protocol: which scores compare, and which model is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cmp_to_key

from t2i.errors import InvalidInputError
from t2i.evaluation.scores import Scored
from t2i.evaluator import Score
from t2i.progress import Say

BOUNDS = ("ceiling", "chance")


@dataclass(frozen=True)
class Entry:
    """One model in a comparison.

    Attributes:
        model: its name.
        scores: by name.
        size_bytes: size of its weights.
        seconds_per_image: drawing time; None if it was not measured.
    """

    model: str
    scores: Mapping[str, Score]
    size_bytes: int
    seconds_per_image: float | None = None


def agreeing(known: Sequence[Sequence[Scored]], warn: Say) -> list[dict[str, Score]]:
    """For each score, the newest that all models have under one protocol.

    Args:
        known: for each model its scores, oldest first.
        warn: called with the reason if a score that all have is left out.
    """
    found: list[dict[str, Score]] = [{} for _ in known]
    first, *others = known
    for metric in dict.fromkeys(row.metric for row in first):
        mine = [row.score for row in reversed(first) if row.metric == metric]
        theirs = [[row.score for row in reversed(rows) if row.metric == metric] for rows in others]
        for score in mine:
            same = [next((s for s in scores if s.protocol == score.protocol), None) for scores in theirs]
            if None not in same:
                for scores, agreed in zip(found, [score, *same], strict=True):
                    scores[metric] = agreed  # type: ignore[assignment]
                break
        else:
            if all(theirs) and not is_bound(metric):
                differing = next(scores[0] for scores in theirs if scores[0].protocol != mine[0].protocol)
                try:
                    mine[0].better_than(differing)
                except InvalidInputError as error:
                    warn(f"{metric} is left out. {error}")
    return found


def common_scores(entries: Sequence[Entry]) -> list[str]:
    """The names of scores that every entry has, without bounds such as "r_precision_ceiling".

    Raises:
        InvalidInputError: two entries made one of them by different protocols; says which parts differ.
    """
    first, *others = entries
    names = [name for name in first.scores if all(name in other.scores for other in others) and not is_bound(name)]
    for name in names:
        for other in others:
            try:
                first.scores[name].better_than(other.scores[name])
            except InvalidInputError as error:
                raise InvalidInputError(f"{name} of {first.model} and {other.model}: {error}") from None
    return names


def ranked(entries: Sequence[Entry], name: str) -> list[Entry]:
    """The entries sorted by the score `name`, the best first."""

    def order(one: Entry, other: Entry) -> int:
        return other.scores[name].better_than(one.scores[name]) - one.scores[name].better_than(other.scores[name])

    return sorted(entries, key=cmp_to_key(order))


def is_bound(name: str) -> bool:
    """Whether a score bounds another one, as "r_precision_ceiling" does."""
    return name.endswith(tuple(f"_{bound}" for bound in BOUNDS))
