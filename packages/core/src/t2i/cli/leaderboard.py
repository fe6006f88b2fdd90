"""`t2i leaderboard`: every pretrained model under one protocol, as a table, a chart and a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from t2i.cli.console import fail, progress, say
from t2i.cli.judging import (
    DEFAULT_DATA,
    DEFAULT_METRICS,
    BatchOption,
    CountOption,
    DataOption,
    DeviceOption,
    MetricsOption,
    SeedOption,
    SettingOption,
    check_model,
    judge,
    load,
    metric_names,
    parse_settings,
)
from t2i.errors import InvalidInputError, OutputError
from t2i.registry.describe import list_models

KEPT = "evaluations"  # in the folder: what each finished evaluation found


def leaderboard(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Default: all installed pretrained models.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    n: CountOption = 2000,
    metrics: MetricsOption = DEFAULT_METRICS,
    setting: SettingOption = None,
    seed: SeedOption = 0,
    batch_size: BatchOption = 64,
    resolution: Annotated[
        int, typer.Option(help="Pixels a side at which the pictures of all models are judged.", min=8)
    ] = 64,
    samples: Annotated[int, typer.Option(help="Prompts shown on the page.", min=1, max=40)] = 8,
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder.")] = Path("leaderboard"),
    device: DeviceOption = None,
) -> int:
    """Evaluate models under one protocol; write leaderboard.md, leaderboard.png, index.html and scores.jsonl.

    Each finished evaluation is kept in the folder: the same command after an interruption evaluates what is missing.
    """
    names = metric_names(metrics)
    settings = parse_settings(setting or [], names)
    models = list(dict.fromkeys(models or list_models(pretrained=True)))
    if not models:
        raise InvalidInputError(
            "No pretrained model is installed. Install some (pip install t2i-starter), or name runs."
        )
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file, not a folder. Choose another folder.")
    for model in models:
        check_model(model)
    from t2i.create import load_dataset
    from t2i.evaluation.comparison import chart, common_scores, draw, entry, markdown, page, ranked
    from t2i.evaluation.evaluate import keep_evaluation, kept_evaluation, question
    from t2i.evaluation.scores import SCORES_FILE, append_scores
    from t2i.files import write_atomic

    dataset = load_dataset(data)
    examples = dataset.examples
    prompts = [examples[index * len(examples) // samples].captions[0] for index in range(min(samples, len(examples)))]
    plan: dict[str, Any] = {"n": n, "seed": seed, "resolution": resolution, "settings": settings}
    pipes, entries = [], []
    failures: dict[str, str] = {}
    for model in models:
        pipes.append(load(model, device))
        kept = out / KEPT / f"{question(pipes[-1], dataset, names, **plan)}.json"
        evaluation = kept_evaluation(kept)
        say(f"{model}: kept from before in {kept}" if evaluation else model)
        if evaluation is None:
            evaluation, rows = judge(pipes[-1], dataset, names, batch_size=batch_size, **plan)
            if evaluation.scores or evaluation.failures:  # of several processes, in the first
                append_scores(out / SCORES_FILE, rows)
                keep_evaluation(kept, evaluation)
        entries.append(entry(pipes[-1], model, evaluation.scores, evaluation.seconds_per_image))
        failures |= {f"{model}: {name}": reason for name, reason in evaluation.failures.items()}
    if common := common_scores(entries):
        entries = ranked(entries, common[0])
        pipes = [pipes[models.index(entry.model)] for entry in entries]
        title = f"Leaderboard on {dataset.name}"
        plot, drawn = chart(entries), draw(pipes, prompts, seed, batch_size, progress)
        write_atomic(out / "leaderboard.md", f"# {title}\n\n{markdown(entries)}".encode())
        write_atomic(out / "leaderboard.png", plot)
        write_atomic(out / "index.html", page(entries, title, prompts, drawn, plot).encode())
        print(markdown(entries), end="")
        say(f"{out}/: leaderboard.md, leaderboard.png, index.html, {SCORES_FILE}")
    for what, reason in failures.items():
        fail(f"{what}: {reason}")
    return 2 if failures else 0
