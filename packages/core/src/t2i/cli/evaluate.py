"""`t2i evaluate`: a model's scores, each saying how it was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import fail, say
from t2i.cli.generate import parse_option
from t2i.cli.judging import (
    DEFAULT_DATA,
    DEFAULT_METRICS,
    BatchOption,
    CountOption,
    DataOption,
    DeviceOption,
    MetricsOption,
    ResolutionOption,
    SeedOption,
    SettingOption,
    check_model,
    judge,
    load,
    metric_names,
    parse_settings,
)


def evaluate(
    model: Annotated[
        str, typer.Argument(help="technique[.tag], a run folder, local-dir:PATH or hf-hub:ORG/REPO[@REVISION].")
    ],
    data: DataOption = DEFAULT_DATA,
    n: CountOption = 2000,
    metrics: MetricsOption = DEFAULT_METRICS,
    setting: SettingOption = None,
    seed: SeedOption = 0,
    batch_size: BatchOption = 64,
    resolution: ResolutionOption = None,
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="An option of the technique's own.")
    ] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Add the scores to this .jsonl too.")] = None,
    device: DeviceOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> int:
    """Draw a dataset's captions and score the pictures beside its own; one line a score.

    Interrupted, it goes on where it stopped. Scores of a run folder or a local snapshot are kept in its scores.jsonl
    and its model card. Several processes can share the work: accelerate launch -m t2i evaluate ...
    """
    names = metric_names(metrics)
    settings = parse_settings(setting or [], names)
    check_model(model)
    from t2i.create import load_dataset
    from t2i.evaluation.scores import append_scores

    dataset = load_dataset(data)
    plan = {"n": n, "seed": seed, "batch_size": batch_size, "resolution": resolution, "settings": settings}
    pipe = load(model, device)
    evaluation, rows = judge(pipe, dataset, names, dict(map(parse_option, option or [])), **plan)
    if out is not None and rows:
        append_scores(out, rows)
    if as_json and rows:
        print(json.dumps([row.to_dict() for row in rows], indent=2))
    elif not as_json:
        for row in rows:
            print(row)
    if evaluation.seconds_per_image is not None:
        say(f"{evaluation.seconds_per_image:.3g} s a picture")
    for name, reason in evaluation.failures.items():
        fail(f"{name}: {reason}")
    return 2 if evaluation.failures else 0
