"""A run from its settings: what `t2i train` does, start and resume alike."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import Field

from t2i.config import Config, parse_config, parse_value
from t2i.data.prepared import PreparedData, Progress, prepare, silent
from t2i.errors import InvalidConfigError, OutputError, TrainingError, UnknownNameError, did_you_mean
from t2i.files import write_atomic
from t2i.hub.snapshots import SnapshotFacts
from t2i.pipelines import check_device
from t2i.registry.models import DEFAULT_TEXT_ENCODER, create_model, create_text_encoder, load_dataset
from t2i.registry.plugins import registry
from t2i.registry.specs import ModelSpec, load_target
from t2i.training.config import TrainConfig
from t2i.training.objective import Objective
from t2i.training.report import Samples, default_samples
from t2i.training.trainer import Trainer, TrainResult

RUN_FILE = "run.yaml"


class RunConfig(Config):
    """Everything that makes a run; kept as run.yaml in its folder, complete, so that resuming needs nothing else."""

    technique: str
    data: str = Field(description="a dataset's name or a folder")
    text_encoder: str = DEFAULT_TEXT_ENCODER
    strict: bool = Field(False, description="refuse a dataset with any flawed picture")
    model: dict[str, Any] = Field(default_factory=dict)
    objective: dict[str, Any] = Field(default_factory=dict)
    train: TrainConfig = TrainConfig()
    command: str = Field("", description="the command that started it")


def read_recipe(technique: str, recipe: str) -> dict[str, Any]:
    """A recipe shipped with a technique, or a YAML file of one's own.

    Raises:
        UnknownNameError: there is neither.
        InvalidConfigError: it is no text, or not a YAML mapping.
    """
    spec, _ = registry().get(ModelSpec, technique)
    if recipe in spec.recipes:
        package, _, path = spec.recipes[recipe].partition(":")
        text = (files(package) / path).read_text()
    elif Path(recipe).is_file():
        text = _read(Path(recipe))
    else:
        known = ", ".join(spec.recipes) or "none"
        raise UnknownNameError(
            f"There is no recipe {recipe!r} for {technique!r}.{did_you_mean(recipe, spec.recipes)} "
            f"It ships: {known}. A path to a YAML file serves too."
        )
    return _mapping(text, recipe)


def override(settings: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """`settings` with "section.field=value" assignments applied; values are read as YAML.

    Raises:
        InvalidConfigError: an assignment is not of that form.
    """
    changed = copy.deepcopy(settings)
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        section, _, name = key.partition(".")
        if not equals or section not in ("model", "objective", "train") or not name:
            raise InvalidConfigError(
                f"A setting reads model.field=value, objective.field=value or train.field=value, but "
                f"{assignment!r} came."
            )
        target: Any = changed
        *path, last = key.split(".")
        for part in path:
            target = target.setdefault(part, {})
            if not isinstance(target, dict):
                raise InvalidConfigError(f"{assignment!r} sets a part of {part!r}, which has no parts.")
        target[last] = parse_value(value, key)
    return changed


def start(
    settings: Mapping[str, Any],
    out: Path,
    *,
    device: str | None = None,
    progress: Progress = silent,
    warn: Callable[[str], None] = lambda message: None,
) -> TrainResult:
    """Begin the run that `settings` (fields of RunConfig) describe, in the new folder `out`.

    Raises:
        InvalidConfigError, UnknownNameError, DataError: before any work starts.
        OutputError: `out` is there already.
        DivergedError: see Trainer.fit.
    """
    config = parse_config(RunConfig, settings, "the run's settings")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} is already there. Continue it with `t2i train --resume {out}`, or choose another.")
    return _trainer(config, out, device, progress, warn, new=True).fit()


def resume(
    out: Path,
    *,
    steps: int | None = None,
    device: str | None = None,
    progress: Progress = silent,
    warn: Callable[[str], None] = lambda message: None,
) -> TrainResult:
    """Go on with the run in `out`, to its end or to `steps`.

    Raises:
        TrainingError: `out` is no run folder.
        CheckpointError: all its checkpoints are damaged.
    """
    path = out / RUN_FILE
    if not path.is_file():
        raise TrainingError(f"{out} is no run folder (it has no {RUN_FILE}). Start one with `t2i train --out {out}`.")
    config = parse_config(RunConfig, _mapping(_read(path), str(path)), str(path))
    if steps is not None:
        train = config.train.model_dump() | {"steps": steps}
        config = config.model_copy(update={"train": parse_config(TrainConfig, train, "--steps")})
    return _trainer(config, out, device, progress, warn, new=False).fit()


def _trainer(
    config: RunConfig,
    out: Path,
    device: str | None,
    progress: Progress,
    warn: Callable[[str], None],
    *,
    new: bool,
) -> Trainer:
    check_device(device)
    spec, _ = registry().get(ModelSpec, config.technique)
    if not spec.objective:
        raise TrainingError(f"{config.technique!r} declares no objective, so it cannot be trained.")
    settings = parse_config(load_target(spec.objective_config), config.objective, "objective")
    dataset = load_dataset(config.data)
    encoder = create_text_encoder(config.text_encoder)
    torch.manual_seed(config.train.seed)  # the networks' initial weights
    generator = create_model(config.technique, **({"text_dim": encoder.identity.dim} | config.model))
    objective: Objective = load_target(spec.objective)(generator, settings)
    data = prepare(
        dataset,
        generator.resolution + config.train.crop_margin,
        encoder,
        strict=config.strict,
        progress=progress,
    )
    _warn_of_problems(data, warn)
    prompts = config.train.sample_prompts
    samples = Samples(prompts, encoder.encode(prompts).to("cpu")) if prompts else default_samples(data)
    facts = SnapshotFacts(
        text_encoder=encoder.identity, dataset=data.name, license=data.license, command=config.command
    )
    trainer = Trainer(objective, data, config.train, out, samples=samples, facts=facts, device=device, warn=warn)
    if new:
        resolved = config.model_copy(
            update={
                "model": generator.config.model_dump(mode="json"),
                "objective": settings.model_dump(mode="json"),
            }
        )
        text = yaml.safe_dump(resolved.model_dump(mode="json"), sort_keys=False)
        write_atomic(out / RUN_FILE, text.encode())
    return trainer


def _warn_of_problems(data: PreparedData, warn: Callable[[str], None]) -> None:
    skipped = [problem for problem in data.problems if problem.skipped]
    converted = [problem for problem in data.problems if not problem.skipped]
    for what, found in (("left out", skipped), ("converted", converted)):
        if found:
            rest = f"; and {len(found) - 5} more" if len(found) > 5 else ""
            warn(f"{data.name}: {len(found)} {what}: {'; '.join(map(str, found[:5]))}{rest}.")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfigError(f"{path} must be a readable text file, but: {error}.") from None


def _mapping(text: str, where: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidConfigError(f"{where} is not YAML ({error}).") from None
    if not isinstance(values, dict):
        raise InvalidConfigError(f"{where} must hold a YAML mapping, but holds a {type(values).__name__}.")
    return values
