"""Start or resume a run from its settings, as `t2i train` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
import yaml
from accelerate import Accelerator

from t2i.config import Config, parse_config
from t2i.create import create_model, create_text_encoder
from t2i.data.dataset import CaptionedDataset
from t2i.devices import check_device
from t2i.errors import InvalidConfigError, TrainingError
from t2i.files import write_atomic
from t2i.plain_text import as_unicode
from t2i.progress import Progress, Say, silent, unsaid
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, load_target
from t2i.runs.checkpoints import has_checkpoints, latest_checkpoint
from t2i.runs.folder import RunFolder
from t2i.runs.lock import locked
from t2i.snapshots.record import SnapshotFacts
from t2i.training.accelerator import make_accelerator
from t2i.training.changes import changed
from t2i.training.defaults.facts import facts_of
from t2i.training.defaults.known_times import keep_time, known_time
from t2i.training.defaults.recommend import Choice, estimated, length, lines, nested, recommended, rhythm, still_open
from t2i.training.defaults.rules import MINUTES
from t2i.training.defaults.step_time import BRIEF_SECONDS, ENOUGH_SECONDS, measured_steps, seconds_a_step
from t2i.training.find_lr import WHOLE, draw_rates, find_rate
from t2i.training.launch import launched
from t2i.training.objective import Objective
from t2i.training.parent import start_from
from t2i.training.processes import Processes
from t2i.training.report.samples import Samples, default_samples
from t2i.training.run_data import Warn, open_data, prepared, warn_of_cuts, warn_of_data
from t2i.training.settings import RunConfig as RunConfig
from t2i.training.settings import check_new, checked, merge, read_run
from t2i.training.settings import override as override
from t2i.training.settings import read_recipe as read_recipe
from t2i.training.trainer import Trainer, TrainResult
from t2i.uncollected import uncollected


def start(
    settings: Mapping[str, Any],
    out: Path,
    *,
    defaults: Mapping[str, Any] | None = None,
    seconds: float | None = None,
    device: str | None = None,
    progress: Progress = silent,
    warn: Warn = lambda message: None,
    say: Say = unsaid,
) -> TrainResult:
    """Begin the run that `settings` (fields of RunConfig) describe, in the new folder `out`.

    Args:
        defaults: if given, recommended settings fill in what `settings` does not set, and these fill in the rest: the
            parent's settings, or those of the technique's recipe `own`.
        seconds: the length of the run, in place of `train.steps`; by default MINUTES if settings are recommended and
            `settings` set no steps. The intervals of samples, checkpoints and rows that `settings` do not set are then
            chosen from the length; so they are if settings are recommended for a given number of steps.
        say: called with the recommended settings, a line each.

    Raises:
        InvalidConfigError, UnknownNameError, DataError: before any work starts.
        OutputError: `out` exists already.
        TrainingError: another process is training in `out`.
        DivergedError, TrainingError: see Trainer.fit.
    """
    begun = time.monotonic()
    config = checked(settings if defaults is None else merge(defaults, settings))
    check_new(out)
    with _locked(out):
        check_new(out)  # another process may have begun it meanwhile
        check_device(device)
        dataset = open_data(config.data)
        if defaults is not None:
            facts = facts_of(dataset, gpu=on_gpu(device))
            spec, _ = registry().get(ModelSpec, config.technique)
            choices = still_open(recommended(spec, facts, parent=bool(config.parent)), settings)
            config = checked(merge(merge(defaults, nested(choices)), settings))
            if launched()[0] == 0:
                say(f"Settings for {facts.pictures:,} pictures, {facts.captions:,} captions, {facts.groups:,} groups:")
                for line in lines(choices):
                    say(line)
            if seconds is None and "steps" not in settings.get("train", {}):
                seconds = 60.0 * MINUTES
        elif launched()[0] == 0:
            warn_of_cuts(config.data, dataset, warn)
        timed = partial(_timed, dataset, settings, seconds, say) if defaults is not None or seconds else None
        if config.train.find_lr:
            config = config.model_copy(update={"train": config.train.model_copy(update={"steps": WHOLE})})
            return _search_rate(_trainer(config, dataset, out, device, progress, warn, new=False), out, say)
        return _run(_trainer(config, dataset, out, device, progress, warn, new=True, timed=timed, begun=begun))


def _search_rate(trainer: Trainer, out: Path, say: Say) -> TrainResult:
    """Draw the losses at rising learning rates into a file next to `out`; the run folder itself is not created."""
    curve, path = find_rate(trainer.steps), out.with_name(f"{out.name}.lr.png")
    draw_rates(curve, path)
    say(f"{path}: the losses at rising learning rates. A rate that learns fast and is safe: {curve.advice}")
    return TrainResult(out, 0, finished=True)


def resume(
    out: Path,
    *,
    steps: int | None = None,
    assignments: Sequence[str] = (),
    device: str | None = None,
    progress: Progress = silent,
    warn: Warn = lambda message: None,
) -> TrainResult:
    """Continue the run in `out` to its end.

    Args:
        steps: the new number of steps of the whole run; a cosine schedule then ends there. Stored in run.yaml.
        assignments: "section.field=value" settings that change from now on, see `changes.CHANGEABLE`; likewise stored.

    Raises:
        TrainingError: `out` is not a run folder, or another process is training it.
        CheckpointError: all its checkpoints are damaged.
        InvalidConfigError: a setting cannot change, or the run would have fewer steps than are done.
    """
    before = read_run(out)
    if steps is not None:
        assignments = [*assignments, f"train.steps={steps}"]
    with _locked(out):
        done = latest_checkpoint(out).step if assignments and has_checkpoints(out) else 0
        config = changed(before, assignments, done)
        check_device(device)
        trainer = _trainer(config, open_data(config.data), out, device, progress, warn, new=False)
        if config != before and trainer.processes.main:
            new = config.changes[-1].settings
            warn(f"From step {done} on: {', '.join(f'{n}={v}' for n, v in new.items())}{_cosine(trainer, new)}.")
            _write_settings(config, out)
        return _run(trainer)


def _cosine(trainer: Trainer, new: Mapping[str, Any]) -> str:
    """Where the learning rates' cosines end, if that is among what is `new`; "" if there is none."""
    if not any(name == "train.steps" or name.endswith(".schedule") for name in new):
        return ""
    steps = trainer.config.steps
    players = [player for phase in trainer.objective.phases for player in phase.players]
    ends = {round(player.span[1] * steps) for player in players if player.optimizer.schedule == "cosine"}
    return f"; the learning rate's cosine now ends at step {' and '.join(map(str, sorted(ends)))}" if ends else ""


def _locked(out: Path) -> AbstractContextManager[None]:
    """The lock of the run; of several processes that share it, the first one holds it."""
    return locked(out) if launched()[0] == 0 else nullcontext()


def _run(trainer: Trainer) -> TrainResult:
    result = trainer.fit()
    trainer.processes.part()
    return result


def on_gpu(device: str | None) -> bool:
    """Whether a run on `device` uses an accelerator."""
    return device != "cpu" and torch.accelerator.is_available()


def make_objective(config: RunConfig, text_dim: int) -> Objective:
    """The run's objective, with the initial weights that its seed gives."""
    spec, _ = registry().get(ModelSpec, config.technique)
    settings = _objective_settings(config)
    torch.manual_seed(config.train.seed)
    generator = create_model(config.technique, **({"text_dim": text_dim} | config.model))
    if generator.text_dim != text_dim:
        raise InvalidConfigError(
            f"model.text_dim must be the width of the text encoder's vectors, {text_dim} for {config.text_encoder!r}, "
            f"got {generator.text_dim}. Leave model.text_dim out."
        )
    parse_config(generator.options_type, config.train.sample_options, "train.sample_options")
    return cast(Objective, load_target(spec.objective)(generator, settings))


@uncollected()
def _trainer(
    config: RunConfig,
    dataset: CaptionedDataset,
    out: Path,
    device: str | None,
    progress: Progress,
    warn: Warn,
    *,
    new: bool,
    timed: Callable[[RunConfig, int, Accelerator, Processes], RunConfig] | None = None,
    begun: float | None = None,
) -> Trainer:
    encoder = create_text_encoder(config.text_encoder)
    objective = make_objective(config, encoder.identity.dim)
    generator = objective.generator
    parent_sha256 = config.parent_sha256
    if config.parent and not has_checkpoints(out):  # also of a run that was interrupted before its first checkpoint
        parent_sha256 = start_from(config.parent, objective, encoder.identity, warn).config.weights_sha256
        if config.parent_sha256 not in ("", parent_sha256):
            raise TrainingError(
                f"{out} began with {config.parent} of sha256 {config.parent_sha256}, but now its sha256 is "
                f"{parent_sha256}, and {out} has no checkpoint yet. Begin the run again under another name."
            )
    accelerator = make_accelerator(config.train, out, device)
    processes = Processes(accelerator, out)
    if not processes.main:
        progress, warn = silent, lambda message: None
    if timed is not None:
        config = timed(config, encoder.identity.dim, accelerator, processes)
    with processes.main_first():
        resolution = generator.resolution + config.train.crop_margin
        data, validation = prepared(config, dataset, resolution, encoder, progress, warn)
    warn_of_data(data, config.data_sha256, warn)
    prompts, options = config.train.sample_prompts, config.train.sample_options
    samples = Samples(prompts, encoder.encode(prompts).to("cpu")) if prompts else default_samples(data)
    samples = replace(samples, options=options)
    facts = SnapshotFacts(
        text_encoder=encoder.identity,
        dataset=data.name,
        license=data.license,
        options=options,
        fit=dataset.fitting.fit,
        position=dataset.fitting.position,
        parent=f"{config.parent}, sha256 {parent_sha256}" if config.parent else "",
        parent_license=config.parent_license,
        command=as_unicode(config.command),
    )
    trainer = Trainer(
        objective,
        data,
        config.train,
        out,
        samples=samples,
        facts=facts,
        accelerator=accelerator,
        warn=warn,
        validation=validation,
        begun=begun,
    )
    if new and processes.main:
        resolved = config.model_copy(
            update={
                "model": generator.config.model_dump(mode="json"),
                "objective": _objective_settings(config).model_dump(mode="json"),
                "train": config.train.model_copy(update={"precision": accelerator.mixed_precision}),
                "parent_sha256": parent_sha256,
                "data_sha256": data.content,
            }
        )
        _write_settings(resolved, out)
    return trainer


def _timed(
    dataset: CaptionedDataset,
    settings: Mapping[str, Any],
    seconds: float | None,
    say: Say,
    config: RunConfig,
    text_dim: int,
    accelerator: Accelerator,
    processes: Processes,
) -> RunConfig:
    """`config` with what follows from the run's length, measured on this device, where `settings` leave it open.

    Args:
        seconds: the run's length; None for the number of steps that `config` has. These do not depend on how fast the
            machine is just now, so an earlier measurement will do.
    """
    objective, steps = make_objective(config, text_dim), config.train.steps
    if seconds is None and steps <= measured_steps(objective):
        return config  # measuring would take as long as the run
    known = known_time(config, accelerator) if seconds is None and processes.count == 1 else None
    enough = BRIEF_SECONDS if seconds is None else ENOUGH_SECONDS
    measured = known or seconds_a_step(objective, config.train, text_dim, accelerator, processes, enough)
    if known is None and processes.main:
        keep_time(config, accelerator, measured)
    if seconds is None:  # exactly these steps, also if a few pictures are only memorised
        of_steps, *others = Choice("train.steps", steps, estimated(steps, measured)), *rhythm(steps, measured)
    else:
        of_steps, *others = length(len(dataset.examples), measured, seconds, config.train.batch_size)
    choices = [of_steps, *still_open(others, settings)]
    if processes.main:
        for line in lines(choices):
            say(line)
    return checked(merge(config.model_dump(mode="json"), nested(choices)))


def _objective_settings(config: RunConfig) -> Config:
    spec, _ = registry().get(ModelSpec, config.technique)
    return parse_config(load_target(spec.objective_config), config.objective, "objective")


def _write_settings(config: RunConfig, out: Path) -> None:
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    write_atomic(RunFolder(out).settings, text.encode())
