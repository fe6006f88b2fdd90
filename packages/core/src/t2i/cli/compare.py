"""`t2i compare`: the same prompts drawn by several models, and their scores, on one sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.arguments import check_whole_number
from t2i.cli.console import fail, interruptible, progress, report, say, warn
from t2i.cli.options import (
    DEFAULT_METRICS,
    BatchOption,
    CountOption,
    DeviceOption,
    ForceOption,
    MetricsOption,
    ResolutionOption,
    SettingOption,
    VerboseOption,
    check_count,
    check_data,
    check_device,
    check_model,
    check_new_file,
    distinct,
    metric_names,
    parse_settings,
)
from t2i.errors import InvalidInputError
from t2i.seeds import check_seed

MAX_PICTURES = 400


def compare(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", help="Models: names, run folders or snapshots.")],
    prompts_file: Annotated[
        Path | None, typer.Option("--prompts", help="A text file, one prompt per line, or - for standard input.")
    ] = None,
    prompt: Annotated[list[str] | None, typer.Option("-p", "--prompt", help="A prompt; repeatable.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of every picture on the sheet.")] = 0,
    out: Annotated[Path, typer.Option("-o", "--out", help="The PNG file to write.")] = Path("compare.png"),
    data: Annotated[
        str | None, typer.Option(help="Score the models on this dataset now. Default: show the scores in their cards.")
    ] = None,
    n: CountOption = 2000,
    metrics: MetricsOption = DEFAULT_METRICS,
    setting: SettingOption = None,
    batch_size: BatchOption = 64,
    resolution: ResolutionOption = None,
    force: ForceOption = False,
    verbose: VerboseOption = False,
    device: DeviceOption = None,
) -> int:
    """Draw one sheet: a row per prompt, a column per model, the same seed, and the models' scores under the columns."""
    from t2i.drawing.prompts import read_prompts

    texts = [*(prompt or []), *(read_prompts(prompts_file) if prompts_file else [])]
    check_request(models, texts)
    check_seed(seed)
    check_whole_number(batch_size, "The batch size", 1)
    check_new_file(out, (".png",), force)
    names = metric_names(metrics) if data else []
    settings = parse_settings(setting, names)
    for model in models:
        check_model(model)
    if data:
        check_count(n, names, settings)
        check_data(data)
    check_device(device)
    from t2i.create import load_dataset
    from t2i.evaluation.comparison import common_scores
    from t2i.evaluation.evaluate import create_evaluators
    from t2i.evaluation.fitting import fitted_for
    from t2i.evaluation.plan import Plan
    from t2i.evaluation.processes import load_artist
    from t2i.evaluation.side_by_side import compare, evaluated, known
    from t2i.evaluation.table import markdown
    from t2i.text import check_prompts

    texts = distinct(check_prompts(texts))
    plan = Plan(names, n, resolution=resolution, settings=settings, batch_size=batch_size) if data else None
    if plan:
        create_evaluators(plan)
    artists = {model: load_artist(model, device) for model in models}
    if plan is None or data is None:
        found = known(artists, warn)
    else:
        with interruptible():
            dataset = fitted_for(artists.values(), load_dataset(data), say)
            found = evaluated(artists, dataset, plan, progress=progress, say=say, warn=warn)
    compare(artists, texts, out, found, seed=seed, batch_size=batch_size, progress=progress)
    say(f"{out}: {len(texts)} prompts, {len(models)} models, seed {seed}")
    report(*markdown(found.entries, whole=verbose).splitlines())
    if not common_scores(found.entries):
        say("no scores: the models' cards have none in common. Score them on a dataset: --data openmoji:compose")
    for what, reason in found.failures.items():
        fail(f"{what}: {reason}")
    return 2 if found.failures else 0


def check_request(models: list[str], texts: list[str]) -> None:
    """Check what can be checked before heavy imports.

    Raises:
        InvalidInputError: one sentence.
    """
    if not texts:
        raise InvalidInputError(
            "A comparison needs a prompt, got none. Say what to draw: t2i compare cgan --prompts prompts.txt"
        )
    twice = sorted({model for model in models if models.count(model) > 1})
    if twice:
        raise InvalidInputError(f"Each model has one column, got {', '.join(twice)} twice. Name it once.")
    if len(texts) * len(models) > MAX_PICTURES:
        raise InvalidInputError(
            f"A sheet shows at most {MAX_PICTURES} pictures, got {len(texts) * len(models)} ({len(texts)} prompts by "
            f"{len(models)} models). Use fewer prompts."
        )
