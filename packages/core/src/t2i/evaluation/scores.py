"""Scores with model, weights and options, stored as one JSON object per line in scores.jsonl."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from t2i.evaluator import Score
from t2i.files import MAX_JSON_BYTES, read_bytes, unwritable

SCORES_FILE = "scores.jsonl"


@dataclass(frozen=True)
class Scored:
    """A score with the model, weights and options that it belongs to.

    Attributes:
        metric: the score's name, such as "r_precision".
        score: the value with its protocol.
        model: the name that was evaluated.
        weights_sha256: sha256 of the weights.
        options: the generator's options, such as {"truncation": 0.8}.
        time: time of the evaluation, UTC, ISO 8601.
    """

    metric: str
    score: Score
    model: str
    weights_sha256: str
    options: dict[str, Any]
    time: str

    def to_dict(self) -> dict[str, Any]:
        """The score as a JSON-ready dict."""
        return dict(ROWS.dump_python(self, mode="json"))


ROWS = TypeAdapter(Scored)


def append_scores(path: Path, rows: Sequence[Scored]) -> None:
    """Add `rows` to a scores.jsonl in one write, so that readers and other writers never see half a row.

    Raises:
        OutputError: the file cannot be written.
    """
    lines = "".join(f"{ROWS.dump_json(row).decode()}\n" for row in rows)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"  # after a power cut
            os.write(descriptor, ("\n" * torn + lines).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise unwritable(path, error) from None


def read_scores(path: Path) -> list[Scored]:
    """The rows of a scores.jsonl, oldest first; incomplete and other lines are skipped."""
    rows = []
    for line in read_bytes(path, MAX_JSON_BYTES).splitlines() if path.is_file() else ():
        try:
            rows.append(ROWS.validate_json(line))
        except ValidationError:
            continue
    return rows
