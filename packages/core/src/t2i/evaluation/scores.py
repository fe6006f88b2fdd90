"""Scores kept: one JSON object a line in scores.jsonl, and in the model card's metadata as the Hub reads it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError
from yaml import YAMLError

from t2i.errors import OutputError
from t2i.evaluator import Score
from t2i.files import unwritable, write_atomic
from t2i.snapshots.card import SCORES_BEGIN, SCORES_END

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCard

SCORES_FILE = "scores.jsonl"


@dataclass(frozen=True)
class Scored:
    """A score and what it is of.

    Attributes:
        metric: the score's name, such as "r_precision".
        score: itself, with its protocol.
        model: the name that was evaluated.
        weights_sha256: of the very weights.
        options: the generator's own, such as {"truncation": 0.8}.
        time: when, UTC, ISO 8601.
    """

    metric: str
    score: Score
    model: str
    weights_sha256: str
    options: dict[str, Any]
    time: str

    def __str__(self) -> str:
        """One line: name, value, error, which way is up."""
        way = "higher" if self.score.higher_is_better else "lower"
        return f"{self.metric:<22}{self.score!s:<20}({way} is better)"

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return dict(ROWS.dump_python(self, mode="json"))


ROWS = TypeAdapter(Scored)


def append_scores(path: Path, rows: Sequence[Scored]) -> None:
    """Add `rows` to a scores.jsonl in one write, so that readers and other writers never meet half of one.

    Raises:
        OutputError: the file cannot be written.
    """
    lines = "".join(f"{ROWS.dump_json(row).decode()}\n" for row in rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"  # by a power cut
            os.write(descriptor, ("\n" * torn + lines).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unwritable(path, error) from None


def read_scores(path: Path) -> list[Scored]:
    """The rows of a scores.jsonl, oldest first; torn and foreign lines are left out."""
    rows = []
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            rows.append(ROWS.validate_json(line))
        except ValidationError:
            continue
    return rows


def write_card_scores(card: Path, rows: Sequence[Scored]) -> None:
    """Put `rows` into a model card: its metadata (the Hub's model-index) and a table.

    A row replaces an older one of the same metric, protocol and options.

    Raises:
        OutputError: there is no readable card, or it cannot be written.
    """
    from huggingface_hub import ModelCard

    try:
        page = ModelCard.load(card)
    except (OSError, ValueError, YAMLError) as error:
        raise OutputError(f"Scores go into a model card, but {card} is none that can be read ({error}).") from None
    kept: list[Scored] = []
    for row in [*_rows_of(page), *rows]:
        kept = [old for old in kept if not _same_question(old, row)] + [row]
    kept.sort(key=_data)  # the Hub's format groups them so
    page.data.model_name = page.data.model_name or rows[0].model
    page.data.eval_results = [_result(row) for row in kept]
    before, _, rest = page.text.partition(SCORES_BEGIN)
    after = rest.partition(SCORES_END)[2].strip()
    page.text = "\n\n".join(part for part in (before.rstrip(), _section(kept), after) if part) + "\n"
    write_atomic(card, str(page).encode())


def read_card_scores(card: Path) -> list[Scored]:
    """What a model card's metadata says, as `write_card_scores` put it; of foreign cards, nothing."""
    from huggingface_hub import ModelCard

    try:
        return _rows_of(ModelCard.load(card))
    except (OSError, ValueError, YAMLError):
        return []


def _rows_of(page: ModelCard) -> list[Scored]:
    rows = []
    for result in getattr(page.data, "eval_results", None) or []:
        try:
            rows.append(ROWS.validate_python(result.metric_args))
        except ValidationError:
            continue
    return rows


def _same_question(one: Scored, other: Scored) -> bool:
    return (one.metric, one.score.protocol, one.options) == (other.metric, other.score.protocol, other.options)


def _data(row: Scored) -> str:
    return row.score.protocol.get("data", "unknown")


def _result(row: Scored) -> EvalResult:
    from huggingface_hub import EvalResult

    data = _data(row)
    kind, _, split = data.partition(":")
    return EvalResult(
        task_type="text-to-image",
        dataset_type=kind,
        dataset_name=data,
        dataset_split=split or None,
        metric_type=row.metric,
        metric_name=row.metric,
        metric_value=row.score.value,
        metric_args=row.to_dict(),
    )


def _section(rows: Sequence[Scored]) -> str:
    lines = [
        f"| {row.metric} | {row.score} | {_data(row)} | "
        f"{', '.join(f'{key} {value}' for key, value in row.options.items())} | {row.time[:10]} |"
        for row in rows
    ]
    table = "\n".join(["| score | value | data | options | made |", "|---|---|---|---|---|", *lines])
    return f"{SCORES_BEGIN}\n## Scores\n\n{table}\n\nEach one's protocol is in the metadata above.\n{SCORES_END}"
