"""Evaluate a model and store its scores in its folder."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from t2i.config import Config
from t2i.data.dataset import CaptionedDataset
from t2i.drawing.artist import Artist
from t2i.evaluation.card import write_card_scores
from t2i.evaluation.evaluate import Elsewhere, Evaluation, evaluate
from t2i.evaluation.plan import Plan
from t2i.evaluation.scores import SCORES_FILE, Scored, append_scores
from t2i.progress import Progress, Say, silent, unsaid


def evaluate_and_keep(
    artist: Artist,
    dataset: CaptionedDataset,
    plan: Plan | None = None,
    options: Config | None = None,
    *,
    elsewhere: Elsewhere | None = None,
    progress: Progress = silent,
    say: Say = unsaid,
    warn: Say = unsaid,
) -> tuple[Evaluation, list[Scored]]:
    """Evaluate as `t2i.evaluation.evaluate.evaluate` does, and store the scores if the folder is the user's own.

    Args:
        elsewhere: as `evaluate` takes it.
        say: called with the place where they are stored.

    Returns:
        The evaluation, and its scores as rows that name model, weights and options.

    Raises:
        T2IError: as `evaluate`, or the scores cannot be written.
    """
    options = options or artist.options()
    evaluation = evaluate(artist, dataset, plan, options, elsewhere=elsewhere, progress=progress, warn=warn)
    identity, now = artist.identity, datetime.now(UTC).isoformat(timespec="seconds")
    used = options.model_dump(mode="json")
    rows = [
        Scored(metric, score, identity.name, identity.weights_sha256, used, now)
        for metric, score in evaluation.scores.items()
    ]
    if rows and (kept := keep(artist, rows)):
        say(f"kept in {kept}{' and in the model card' if artist.files.card else ''}")
    return evaluation, rows


def keep(artist: Artist, rows: Sequence[Scored]) -> Path | None:
    """Write scores into the scores.jsonl and the card of an artist's folder.

    Returns:
        The scores.jsonl; None if the folder is not the user's own, and then nothing is written.

    Raises:
        OutputError: a file cannot be written.
    """
    files = artist.files
    if files.home is None:
        return None
    path = files.home / SCORES_FILE
    append_scores(path, rows)
    if files.card:
        write_card_scores(files.card, rows)
    return path
