"""`t2i leaderboard`: every pretrained model under one protocol, as a table, a chart and a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import fail, interruptible, progress, report, say, warn
from t2i.cli.options import (
    DEFAULT_DATA,
    DEFAULT_METRICS,
    BatchOption,
    CountOption,
    DataOption,
    DeviceOption,
    MetricsOption,
    SeedOption,
    SettingOption,
    VerboseOption,
    check_count,
    check_data,
    check_device,
    check_model,
    check_out_folder,
    metric_names,
    parse_settings,
)
from t2i.errors import InvalidInputError
from t2i.registry.describe import list_models


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
        int, typer.Option(help="Side in pixels at which the pictures of all models are evaluated.", min=8)
    ] = 64,
    samples: Annotated[int, typer.Option(help="Number of prompts shown on the page.", min=1, max=40)] = 8,
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder to write.")] = Path("leaderboard"),
    verbose: VerboseOption = False,
    device: DeviceOption = None,
) -> int:
    """Evaluate models under one protocol; write leaderboard.md, leaderboard.png, index.html and scores.jsonl.

    Each finished evaluation is kept in the folder: after an interruption, the same command evaluates what is missing.
    """
    names = metric_names(metrics)
    settings = parse_settings(setting, names)
    check_count(n, names, settings)
    models = list(dict.fromkeys(models or list_models(pretrained=True)))
    if not models:
        raise InvalidInputError(
            "No pretrained model is installed. Install some (pip install t2i-starter), or name runs."
        )
    check_out_folder(out)
    for model in models:
        check_model(model)
    check_data(data)
    check_device(device)
    from t2i.create import load_dataset
    from t2i.evaluation.comparison import common_scores
    from t2i.evaluation.evaluate import create_evaluators
    from t2i.evaluation.leaderboard import leaderboard
    from t2i.evaluation.plan import Plan
    from t2i.evaluation.scores import SCORES_FILE
    from t2i.evaluation.table import markdown
    from t2i.files import check_writable

    plan = Plan(names, n, seed, resolution, settings, batch_size)
    create_evaluators(plan)  # reports problems before any work
    check_writable(out / SCORES_FILE)
    with interruptible():
        board = leaderboard(
            models, load_dataset(data), plan, out, samples=samples, device=device, progress=progress, say=say, warn=warn
        )
    if common_scores(board.entries):
        report(*markdown(board.entries, whole=verbose).splitlines())
    for what, reason in board.failures.items():
        fail(f"{what}: {reason}")
    return 2 if board.failures else 0
