"""What `evaluate`, `leaderboard` and `compare` share: their options, and one model's scores made and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from t2i.cli.console import progress, say, warn
from t2i.cli.generate import parse_option
from t2i.errors import InvalidInputError
from t2i.registry.describe import weights_spec
from t2i.registry.discovery import registry
from t2i.registry.specs import EvaluatorSpec

if TYPE_CHECKING:
    from t2i.data.dataset import CaptionedDataset
    from t2i.drawing.pipeline import Pipeline
    from t2i.evaluation.evaluate import Evaluation
    from t2i.evaluation.scores import Scored

DataOption = Annotated[str, typer.Option(help="A dataset's name, name:split, or a folder of captioned pictures.")]
CountOption = Annotated[int, typer.Option("-n", "--n", help="Pictures drawn.")]
MetricsOption = Annotated[str, typer.Option(help="Names of evaluators, with commas between.")]
SettingOption = Annotated[
    list[str] | None,
    typer.Option("--setting", metavar="METRIC.NAME=VALUE", help="Of an evaluator, such as fid.protocol=clean."),
]
SeedOption = Annotated[int, typer.Option(help="Chooses the captions; picture i is drawn with seed + i.")]
BatchOption = Annotated[int, typer.Option(help="Pictures drawn and judged at once.")]
ResolutionOption = Annotated[
    int | None, typer.Option(help="Pixels a side at which pictures are judged. Default: the model's.", min=8)
]
DeviceOption = Annotated[str | None, typer.Option(help="cpu, cuda or mps. Default: the accelerator.")]
DEFAULT_DATA = "openmoji:compose"
DEFAULT_METRICS = "kid,r_precision"


def metric_names(metrics: str) -> list[str]:
    """ "fid,kid" as names, each known; before torch is imported.

    Raises:
        UnknownNameError, PluginError: nobody declares one, or its plugin cannot be used.
        InvalidInputError: there is none.
    """
    names = [name.strip() for name in metrics.split(",") if name.strip()]
    if not names:
        raise InvalidInputError(f"An evaluation needs a metric, but none came. Try --metrics {DEFAULT_METRICS}")
    for name in names:
        registry().get(EvaluatorSpec, name)
    return list(dict.fromkeys(names))


def parse_settings(assignments: Sequence[str], metrics: Sequence[str]) -> dict[str, dict[str, Any]]:
    """["fid.protocol=clean"] as {"fid": {"protocol": "clean"}}.

    Raises:
        InvalidInputError: one is not of that form, or of no metric asked for.
    """
    settings: dict[str, dict[str, Any]] = {}
    for assignment in assignments:
        metric, _, rest = assignment.partition(".")
        if metric not in metrics:
            raise InvalidInputError(
                f"A setting reads metric.name=value, of one of {', '.join(metrics)}, but {assignment!r} came."
            )
        name, value = parse_option(rest)
        settings.setdefault(metric, {})[name] = value
    return settings


def check_model(model: str) -> None:
    """Tell an unknown name before torch is imported.

    Raises:
        UnknownNameError, PluginError: nothing usable goes by that name.
    """
    if not set(model) & set(":/") and not Path(model).is_dir():
        weights_spec(model)


def load(model: str, device: str | None) -> Pipeline:
    """The model on `device`; of several processes, each on its own."""
    from accelerate import PartialState

    from t2i.drawing.pipeline import pipeline

    state = PartialState(cpu=device == "cpu")
    return pipeline(model, device=str(state.device) if state.num_processes > 1 else device)


def judge(
    pipe: Pipeline,
    dataset: CaptionedDataset,
    metrics: Sequence[str],
    options: Mapping[str, Any] | None = None,
    **plan: Any,
) -> tuple[Evaluation, list[Scored]]:
    """Evaluate, and keep the scores beside the run's or the snapshot's files where those are the person's own.

    Args:
        plan: the other arguments of `t2i.evaluation.evaluate.evaluate`.
    """
    from t2i.evaluation.evaluate import evaluate
    from t2i.evaluation.scores import SCORES_FILE, Scored, append_scores, write_card_scores
    from t2i.hub.layout import CARD

    options = pipe.options(**options or {}).model_dump()
    evaluation = evaluate(pipe, dataset, metrics, options=options, progress=progress, warn=warn, **plan)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    name, sha256 = pipe.snapshot.name, pipe.snapshot.config.weights_sha256
    rows = [Scored(metric, score, name, sha256, options, now) for metric, score in evaluation.scores.items()]
    home = Path(name.removeprefix("local-dir:"))
    if rows and home.is_dir() and not pipe.snapshot.revision:
        append_scores(home / SCORES_FILE, rows)
        write_card_scores(pipe.snapshot.folder / CARD, rows)
        say(f"kept in {home / SCORES_FILE} and in the model card")
    return evaluation, rows
