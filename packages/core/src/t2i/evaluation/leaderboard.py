"""A leaderboard of models under one protocol: a folder with a table, a chart, a page and all scores.

Each finished evaluation is stored in the folder; after an interruption only the missing ones are run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from t2i.data.dataset import CaptionedDataset
from t2i.evaluation.chart import chart
from t2i.evaluation.comparison import Entry, common_scores, ranked
from t2i.evaluation.evaluate import Evaluation, question
from t2i.evaluation.fitting import fitted_for
from t2i.evaluation.keep import evaluate_and_keep
from t2i.evaluation.page import page
from t2i.evaluation.plan import Plan
from t2i.evaluation.processes import load_artist
from t2i.evaluation.scores import SCORES_FILE, append_scores
from t2i.evaluation.side_by_side import Compared, draw_rows
from t2i.evaluation.table import markdown
from t2i.files import MAX_JSON_BYTES, read_bytes, write_atomic
from t2i.progress import Progress, Say, silent, unsaid
from t2i.snapshots.markdown import plain

TABLE, CHART, PAGE = "leaderboard.md", "leaderboard.png", "index.html"
KEPT = "evaluations"  # folder of finished evaluations
EVALUATION = TypeAdapter(Evaluation)


def leaderboard(
    models: Sequence[str],
    dataset: CaptionedDataset,
    plan: Plan,
    folder: Path,
    *,
    samples: int = 8,
    device: str | None = None,
    progress: Progress = silent,
    say: Say = unsaid,
    warn: Say = unsaid,
) -> Compared:
    """Evaluate models under one protocol and write the folder's files; without a table, if the models share no score.

    Args:
        models: their names, without duplicates.
        plan: all models' pictures are evaluated at its resolution.
        samples: number of prompts shown on the page.

    Returns:
        The models, sorted by the first score they share, the best first.

    Raises:
        T2IError: a model cannot be loaded or evaluated, or a file cannot be written.
    """
    artists = {model: load_artist(model, device) for model in models}
    dataset = fitted_for(artists.values(), dataset, say)
    entries = []
    failures: dict[str, str] = {}
    for model, artist in artists.items():
        kept = folder / KEPT / f"{question(artist, dataset, plan)}.json"
        found = kept_evaluation(kept)
        say(f"{model}: already evaluated, see {kept}" if found else model)
        if found is None:
            found, rows = evaluate_and_keep(artist, dataset, plan, progress=progress, say=say, warn=warn)
            if found.scores or found.failures:  # only in the first of several processes
                append_scores(folder / SCORES_FILE, rows)
                keep_evaluation(kept, found)
        entries.append(Entry(model, found.scores, artist.files.size_bytes, found.seconds_per_image))
        failures |= {f"{model}: {metric}": reason for metric, reason in found.failures.items()}
    if common := common_scores(entries):
        entries = ranked(entries, common[0])
        prompts = _spread([example.captions[0] for example in dataset.examples], samples)
        best_first = [artists[entry.model] for entry in entries]
        rows_drawn = draw_rows(best_first, prompts, plan.seed, plan.batch_size, progress)
        title, plot = f"Leaderboard on {dataset.name}", chart(entries)
        write_atomic(folder / TABLE, f"# {plain(title)}\n\n{markdown(entries)}".encode())
        write_atomic(folder / CHART, plot)
        write_atomic(folder / PAGE, page(entries, title, prompts, rows_drawn, plot).encode())
        say(f"{folder}/: {TABLE}, {CHART}, {PAGE}, {SCORES_FILE}")
    return Compared(entries, failures)


def keep_evaluation(path: Path, evaluation: Evaluation) -> None:
    """Write the evaluation as JSON.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomic(path, EVALUATION.dump_json(evaluation, indent=2) + b"\n")


def kept_evaluation(path: Path) -> Evaluation | None:
    """The evaluation that `keep_evaluation` wrote; None if there is no complete file."""
    try:
        return EVALUATION.validate_json(read_bytes(path, MAX_JSON_BYTES))
    except (OSError, ValidationError):
        return None


def _spread(captions: Sequence[str], count: int) -> list[str]:
    """`count` of them, evenly spread, or all if there are fewer."""
    count = min(count, len(captions))
    return [captions[index * len(captions) // count] for index in range(count)]
