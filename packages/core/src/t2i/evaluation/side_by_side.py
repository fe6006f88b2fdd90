"""One sheet of the same prompts drawn by several artists, with their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from t2i.data.dataset import CaptionedDataset
from t2i.drawing.artist import DEFAULT_BATCH_SIZE, Artist, Request
from t2i.drawing.provenance import png_bytes
from t2i.evaluation.card import read_card_scores
from t2i.evaluation.comparison import Entry, agreeing
from t2i.evaluation.keep import evaluate_and_keep
from t2i.evaluation.plan import Plan
from t2i.evaluation.sheet import sheet
from t2i.evaluation.table import under_columns
from t2i.files import write_atomic
from t2i.progress import Progress, Say, silent, unsaid


@dataclass(frozen=True)
class Compared:
    """Models with their scores, and the reasons for missing scores.

    Attributes:
        entries: one per model.
        failures: "model: evaluator" -> the reason why there is no score.
    """

    entries: Sequence[Entry]
    failures: Mapping[str, str]


def compare(
    artists: Mapping[str, Artist],
    prompts: Sequence[str],
    out: Path,
    compared: Compared,
    *,
    seed: int = 0,
    batch_size: int = DEFAULT_BATCH_SIZE,
    progress: Progress = silent,
) -> None:
    """Write a sheet: a row per prompt, a column per artist, the same seed for all, and the scores under the columns.

    Args:
        artists: by the names written above the columns.
        out: path of the PNG.

    Raises:
        InvalidInputError: two entries have a score under different protocols.
        OutputError: the sheet cannot be written.
    """
    rows = draw_rows(list(artists.values()), prompts, seed, batch_size, progress)
    write_atomic(out, png_bytes(sheet(rows, prompts, list(artists), under_columns(compared.entries))))


def draw_rows(
    artists: Sequence[Artist], prompts: Sequence[str], seed: int, batch_size: int, progress: Progress = silent
) -> list[list[Image.Image]]:
    """For each prompt, one picture per artist, all drawn with one seed."""
    columns = []
    requests = [Request(prompt, seed) for prompt in prompts]
    for artist in artists:
        column = []
        with progress(f"Drawing with {artist.name}", len(prompts)) as advance:
            for picture in artist.draw(requests, batch_size=batch_size):
                column.append(picture.image)
                advance(1)
        columns.append(column)
    return [list(row) for row in zip(*columns, strict=True)]


def known(artists: Mapping[str, Artist], warn: Say = unsaid) -> Compared:
    """The newest scores that the cards of all artists have under one protocol.

    Args:
        warn: called with the reason if a score that all have is left out.
    """
    cards = [artist.files.card for artist in artists.values()]
    scores = agreeing([read_card_scores(card) if card else [] for card in cards], warn)
    entries = [
        Entry(name, found, artist.files.size_bytes)
        for (name, artist), found in zip(artists.items(), scores, strict=True)
    ]
    return Compared(entries, {})


def evaluated(
    artists: Mapping[str, Artist],
    dataset: CaptionedDataset,
    plan: Plan,
    *,
    progress: Progress = silent,
    say: Say = unsaid,
    warn: Say = unsaid,
) -> Compared:
    """Evaluate all artists on `dataset` now.

    Raises:
        T2IError: as `t2i.evaluation.keep.evaluate_and_keep`.
    """
    entries = []
    failures: dict[str, str] = {}
    for name, artist in artists.items():
        found, _ = evaluate_and_keep(artist, dataset, plan, progress=progress, say=say, warn=warn)
        entries.append(Entry(name, found.scores, artist.files.size_bytes, found.seconds_per_image))
        failures |= {f"{name}: {metric}": reason for metric, reason in found.failures.items()}
    return Compared(entries, failures)
