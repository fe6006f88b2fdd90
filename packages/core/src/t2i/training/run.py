"""Start or resume a run from its settings, as `t2i train` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml

from t2i.config import parse_config
from t2i.create import create_model, create_text_encoder, load_dataset
from t2i.data.dataset import summarised
from t2i.data.prepare import PreparedData, prepare
from t2i.devices import check_device
from t2i.files import write_atomic
from t2i.plain_text import as_unicode
from t2i.progress import Progress, silent
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, load_target
from t2i.runs.checkpoints import has_checkpoints, latest_checkpoint
from t2i.runs.folder import RunFolder
from t2i.runs.lock import locked
from t2i.snapshots.record import SnapshotFacts
from t2i.training.accelerator import make_accelerator
from t2i.training.changes import changed
from t2i.training.launch import launched
from t2i.training.objective import Objective
from t2i.training.parent import start_from
from t2i.training.processes import Processes
from t2i.training.report.samples import Samples, default_samples
from t2i.training.settings import RunConfig as RunConfig
from t2i.training.settings import check_new, checked, read_run
from t2i.training.settings import override as override
from t2i.training.settings import read_recipe as read_recipe
from t2i.training.trainer import Trainer, TrainResult

Warn = Callable[[str], None]


def start(
    settings: Mapping[str, Any],
    out: Path,
    *,
    device: str | None = None,
    progress: Progress = silent,
    warn: Warn = lambda message: None,
) -> TrainResult:
    """Begin the run that `settings` (fields of RunConfig) describe, in the new folder `out`.

    Raises:
        InvalidConfigError, UnknownNameError, DataError: before any work starts.
        OutputError: `out` exists already.
        TrainingError: another process is training in `out`.
        DivergedError, TrainingError: see Trainer.fit.
    """
    config = checked(settings)
    check_new(out)
    with _locked(out):
        check_new(out)  # another process may have begun it meanwhile
        return _run(_trainer(config, out, device, progress, warn, new=True))


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
        trainer = _trainer(config, out, device, progress, warn, new=False)
        if config != before and trainer.processes.main:
            warn(f"From step {done} on: {', '.join(f'{n}={v}' for n, v in config.changes[-1].settings.items())}.")
            _write_settings(config, out)
        return _run(trainer)


def _locked(out: Path) -> AbstractContextManager[None]:
    """The lock of the run; of several processes that share it, the first one holds it."""
    return locked(out) if launched()[0] == 0 else nullcontext()


def _run(trainer: Trainer) -> TrainResult:
    result = trainer.fit()
    trainer.processes.part()
    return result


def _trainer(config: RunConfig, out: Path, device: str | None, progress: Progress, warn: Warn, *, new: bool) -> Trainer:
    check_device(device)
    spec, _ = registry().get(ModelSpec, config.technique)
    settings = parse_config(load_target(spec.objective_config), config.objective, "objective")
    dataset = load_dataset(config.data, caption_column=config.caption_column, image_column=config.image_column)
    encoder = create_text_encoder(config.text_encoder)
    torch.manual_seed(config.train.seed)  # the networks' initial weights
    generator = create_model(config.technique, **({"text_dim": encoder.identity.dim} | config.model))
    parse_config(generator.options_type, config.train.sample_options, "train.sample_options")
    objective: Objective = load_target(spec.objective)(generator, settings)
    parent_sha256 = config.parent_sha256
    if new and config.parent:
        parent_sha256 = start_from(config.parent, objective, encoder.identity, warn).config.weights_sha256
    accelerator = make_accelerator(config.train, out, device)
    processes = Processes(accelerator, out)
    if not processes.main:
        progress, warn = silent, lambda message: None
    with processes.main_first():
        resolution = generator.resolution + config.train.crop_margin
        data = prepare(dataset, resolution, encoder, strict=config.strict, progress=progress)
    _warn_of_data(data, config.data_sha256, warn)
    prompts, options = config.train.sample_prompts, config.train.sample_options
    samples = Samples(prompts, encoder.encode(prompts).to("cpu")) if prompts else default_samples(data)
    samples = replace(samples, options=options)
    facts = SnapshotFacts(
        text_encoder=encoder.identity,
        dataset=data.name,
        license=data.license,
        options=options,
        parent=f"{config.parent}, sha256 {parent_sha256}" if config.parent else "",
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
    )
    if new and processes.main:
        resolved = config.model_copy(
            update={
                "model": generator.config.model_dump(mode="json"),
                "objective": settings.model_dump(mode="json"),
                "train": config.train.model_copy(update={"precision": accelerator.mixed_precision}),
                "parent_sha256": parent_sha256,
                "data_sha256": data.content,
            }
        )
        _write_settings(resolved, out)
    return trainer


def _write_settings(config: RunConfig, out: Path) -> None:
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)
    write_atomic(RunFolder(out).settings, text.encode())


def _warn_of_data(data: PreparedData, sha256: str, warn: Warn) -> None:
    """Say what of the data is left out, changed or odd, and whether it is still what the run began with."""
    if sha256 and sha256 != data.content:
        warn(f"{data.name} has changed since this run began: it now learns from other pictures or captions.")
    for remark in data.remarks:
        warn(f"{data.name}: {remark}")
    for what, skipped in (("left out", True), ("changed", False)):
        found = [problem for problem in data.problems if problem.skipped == skipped]
        if found:
            lines = summarised(found)
            rest = f"; and {len(lines) - 5} more kinds" if len(lines) > 5 else ""
            warn(f"{data.name}: {len(found):,} {what}: {'; '.join(lines[:5])}{rest}.")
