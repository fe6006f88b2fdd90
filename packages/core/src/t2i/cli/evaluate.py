"""`t2i evaluate`: a model's scores, each with its protocol."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import fail, interruptible, progress, report, report_json, say, table, warn
from t2i.cli.options import (
    DEFAULT_DATA,
    DEFAULT_METRICS,
    MODEL_HELP,
    BatchOption,
    CountOption,
    DataOption,
    DeviceOption,
    EngineOption,
    MetricsOption,
    OwnOption,
    ResolutionOption,
    SeedOption,
    SettingOption,
    VerboseOption,
    check_count,
    check_data,
    check_engine,
    check_model,
    metric_names,
    parse_options,
    parse_settings,
)


def evaluate(
    model: Annotated[str, typer.Argument(help=MODEL_HELP)],
    data: DataOption = DEFAULT_DATA,
    n: CountOption = 2000,
    metrics: MetricsOption = DEFAULT_METRICS,
    setting: SettingOption = None,
    seed: SeedOption = 0,
    batch_size: BatchOption = 64,
    resolution: ResolutionOption = None,
    option: OwnOption = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Also add the scores to this .jsonl file.")] = None,
    device: DeviceOption = None,
    engine: EngineOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: VerboseOption = False,
) -> int:
    """Draw a dataset's captions and compare the pictures with its own; prints a table of scores.

    After an interruption, the same command continues where it stopped. Scores of a run folder or a local snapshot are
    kept in its scores.jsonl and its model card. Several processes can share the work: start them with
    accelerate launch -m t2i evaluate ..., or use --engine.
    """
    names = metric_names(metrics)
    settings = parse_settings(setting, names)
    check_count(n, names, settings)
    check_model(model)
    chosen = parse_options(option, model)
    check_data(data)
    check_engine(engine, device)
    from t2i.files import check_writable

    if out is not None:
        check_writable(out)
    from t2i.create import create_engine, load_dataset
    from t2i.evaluation.evaluate import create_evaluators
    from t2i.evaluation.fitting import fitted_for
    from t2i.evaluation.keep import evaluate_and_keep
    from t2i.evaluation.plan import Plan
    from t2i.evaluation.processes import load_artist
    from t2i.evaluation.scores import append_scores
    from t2i.evaluation.spread import EvaluationWorker
    from t2i.evaluation.table import cautions_of, score_cells

    plan = Plan(names, n, seed, resolution, settings, batch_size)
    create_evaluators(plan)  # reports problems before any work
    artist = load_artist(model, device)
    options = artist.options(**chosen)
    dataset = fitted_for([artist], load_dataset(data), say)
    for remark in dataset.remarks:
        warn(f"{dataset.name}: {remark}")
    with interruptible(), ExitStack() as stack:
        elsewhere = None
        if engine is not None:
            worker = EvaluationWorker(model, data, plan, chosen, device)
            elsewhere = partial(stack.enter_context(create_engine(engine)).map, worker)
        found, rows = evaluate_and_keep(
            artist, dataset, plan, options, elsewhere=elsewhere, progress=progress, say=say, warn=warn
        )
    if out is not None and rows:
        append_scores(out, rows)
    if as_json and rows:
        report_json([row.to_dict() for row in rows])
    elif not as_json:
        table(*score_cells(found.scores))
        for metric, score in found.scores.items() if verbose else ():
            report(f"{metric}:", *(f"  {key}: {value}" for key, value in score.protocol.items()))
        for caution, scores in cautions_of(found.scores).items():
            warn(f"{scores}: {caution}")
    if found.seconds_per_image is not None:
        say(f"{found.seconds_per_image:.3g} s per picture")
    for name, reason in found.failures.items():
        fail(f"{name}: {reason}")
    return 2 if found.failures else 0
