"""The only training loop, for every technique."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from t2i.data.prepare import PreparedData
from t2i.errors import DivergedError
from t2i.runs.checkpoints import has_checkpoints, latest_checkpoint
from t2i.runs.folder import RunFolder
from t2i.snapshots.record import SnapshotFacts
from t2i.snapshots.save import save_snapshot
from t2i.training.accelerator import deterministic_kernels, make_accelerator
from t2i.training.best import keep_best
from t2i.training.checkpoint import save_checkpoint
from t2i.training.config import TrainConfig
from t2i.training.defaults.duration import shown_duration
from t2i.training.elapsed_time import Spent, device_name
from t2i.training.objective import Objective
from t2i.training.processes import Processes
from t2i.training.report.curves import Row, import_plotting
from t2i.training.report.page import run_page
from t2i.training.report.report import RunReport
from t2i.training.report.resources import resources
from t2i.training.report.samples import (
    Samples,
    default_samples,
    write_nearest,
    write_page,
    write_samples,
    write_watched,
)
from t2i.training.report.step_progress import step_progress
from t2i.training.saved_state import SavedState
from t2i.training.signals import interruptible
from t2i.training.steps import Steps
from t2i.training.validation import phase_ends
from t2i.training.validation_scores import Validator, best_step, is_exhausted


@dataclass(frozen=True)
class TrainResult:
    """How a run ended.

    Attributes:
        run: its folder, which can be loaded as a model.
        step: number of finished steps.
        finished: whether the run is complete; else it was interrupted and can be resumed.
        best: the step whose snapshot is best/, if pictures were held out.
        copies: a sentence on how similar its pictures are to training pictures; "" unless it is finished and draws
            samples.
    """

    run: Path
    step: int
    finished: bool
    best: int | None = None
    copies: str = ""


class Trainer:
    """Trains an Objective on prepared data, into a run folder that can be resumed and is a model.

    Everything random is a function of (seed, step, process), so a stopped and resumed run equals an uninterrupted
    one, bit for bit on a CPU. Several processes share each step's pictures, and only process 0 writes.

    Attributes:
        steps: takes the run's steps.
        step: number of finished steps.
    """

    def __init__(
        self,
        objective: Objective,
        data: PreparedData,
        config: TrainConfig,
        run: Path,
        *,
        samples: Samples | None = None,
        facts: SnapshotFacts | None = None,
        device: str | None = None,
        accelerator: Accelerator | None = None,
        warn: Callable[[str], None] = lambda message: None,
        validation: PreparedData | None = None,
        begun: float | None = None,
    ) -> None:
        """
        Args:
            objective: the technique's objective, with its generator at the data's resolution.
            run: the run folder, new or to be resumed.
            samples: prompts to draw repeatedly; by default 16 captions of the data.
            facts: recorded in snapshots, in addition to the steps.
            device: "cpu" keeps Accelerate from using a GPU.
            accelerator: by default made by `make_accelerator` from `config`, `run` and `device`.
            validation: the pictures to validate on, if they are data of their own; by default those held out of `data`.
            begun: time.monotonic() when the work began, before the data was prepared; by default now.

        Raises:
            InvalidConfigError, TrainingError: as `make_accelerator` does; or the objective contradicts itself.
            DataError: the objective needs mismatched captions, and the data has none.
        """
        self.accelerator = accelerator or make_accelerator(config, run, device)
        self.processes = Processes(self.accelerator, run)
        self.objective, self.config, self.run = objective, config, run
        self._facts = facts or SnapshotFacts(dataset=data.name, license=data.license)
        self._samples, self._warn = samples or default_samples(data), warn
        self.steps = Steps(objective, data, config, self.accelerator, self.processes)
        self.ema = self.steps.ema
        self._state = SavedState(self.steps, self.accelerator.scaler)
        self._spent = Spent(device_name(self.accelerator.device, self.processes.count))
        self._last_phase = phase_ends(objective.phases, config.steps)[-2] if len(objective.phases) > 1 else 0
        self._data, self._validation = data, validation
        self.step = 0
        self._stop = False
        self._begun: float | None = time.monotonic() if begun is None else begun
        self._first_pictures: float | None = None  # seconds after which they were drawn

    def fit(self) -> TrainResult:
        """Train from the newest checkpoint (or the start) to the end, or until Ctrl-C or SIGTERM.

        Raises:
            DivergedError: a loss or a weight is not finite; names it. The checkpoints before it stay.
            CheckpointError: the run's checkpoints do not fit this objective.
            OutputError: the run folder cannot be written.
            TrainingError: another process of the run ended, or the tracker cannot start.
        """
        self._restore()
        total, batch_size = self.config.steps, self.config.batch_size
        run = RunFolder(self.run)
        report = RunReport(run, self.accelerator, self.processes, self.step, self._warn)
        validator: Validator | None = None  # made when it is first needed: reading the held-out pictures takes seconds
        if self.processes.main and self.config.sample_every:
            import_plotting()  # beside the first steps, for the first pictures or a stop
        drawn: Tensor | None = None
        with (
            report.trackers(),
            interruptible(self._request_stop),
            deterministic_kernels(self.config.deterministic),
            step_progress(self.step, total, batch_size, hidden=not self.processes.main) as advance,
        ):
            exhausted = self._anywhere(is_exhausted(report.rows, self.config.patience, self._last_phase))
            stopped, logged = exhausted, self.step
            self.steps.clock.restart()
            while self.step < total and not stopped:
                terms = self.one_step()
                self.step += 1
                report.add(terms)
                advance()
                stopped = self.processes.agree(self._stop) and self.step < total
                validating = self._held_out and self._due(self.config.validate_every)
                sampling, saving = self._sampling_is_due(), self._due(self.config.checkpoint_every)
                if self._due(self.config.log_every) or sampling or saving or validating or stopped:
                    measures = self.steps.measures(self.step - logged)
                    if validating:
                        if self.processes.main:
                            validator = validator or self._make_validator()
                            measures |= validator(self.steps, self.step - 1, self.ema.generator)
                        rows = [*report.rows, {"step": self.step, **measures}]
                        exhausted = self._anywhere(is_exhausted(rows, self.config.patience, self._last_phase))
                    stopped = stopped or (exhausted and self.step < total)
                    sampling = sampling or (stopped and self.config.sample_every > 0)
                    if sampling and self.processes.main:
                        measures |= write_watched(run, self.step, *self.steps.watch(self.step - 1))
                    self._check(report.log(self.step, measures))
                    logged = self.step
                    if validating and self.processes.main:
                        self._keep_best(run, report.rows)
                if sampling and self.processes.main:
                    drawn = write_samples(run, self.step, self.ema.generator, self._samples, self.accelerator.device)
                    self._write_page(run, report)
                if saving or stopped:
                    self._save()
            self.processes.wait()
        best = best_step(report.rows, self._last_phase)
        if exhausted and best is not None and self.step < total:
            self._warn(
                f"Ended early at step {self.step:,} of {total:,}: the last {self.config.patience} validations were not "
                f"better than that of step {best:,}, whose model is {run.best}. Continue anyway with train.patience=0."
            )
        finished, copies = self.step >= total or exhausted, ""
        if finished and drawn is not None:
            copies = write_nearest(run, self._data, drawn)
            self._write_page(run, report, copies)
        return TrainResult(self.run, self.step, finished, best, copies)

    def _write_page(self, run: RunFolder, report: RunReport, copies: str = "") -> None:
        if self._first_pictures is None and self._begun is not None:
            self._first_pictures = time.monotonic() - self._begun
        first = self._first_pictures
        measures = {} if first is None else {"to the first pictures": shown_duration(first)}
        measures |= resources(self.run, self.accelerator.device)
        problems = list(report.warnings.values())
        page = run_page(run, report.rows, self._samples.prompts, problems, self.config.steps, measures, copies)
        write_page(run, report.rows, page)

    @property
    def _held_out(self) -> bool:
        return self._validation is not None or self._data.held_out is not None

    def _make_validator(self) -> Validator:
        data, pictures = (self._data, self._data.held_out) if self._validation is None else (self._validation, None)
        device, options = self.accelerator.device, self._samples.options
        return Validator(self.objective, data, pictures, self.config, device, self._warn, options)

    def _anywhere(self, here: bool) -> bool:
        """Whether it is so in any process."""
        return bool(self.processes.sum_(torch.tensor(float(here), device=self.accelerator.device)) > 0)

    def _keep_best(self, run: RunFolder, rows: Sequence[Row]) -> None:
        """Keep the current step as best/ if it is the best one so far."""
        if best_step(rows, self._last_phase) == self.step:
            facts = self._facts.after(self.step, self.step * self.config.batch_size, self._spent.read())
            keep_best(run, self.ema.generator, facts)

    def _due(self, every: int) -> bool:
        return every > 0 and (self.step % every == 0 or self.step == self.config.steps)

    def _sampling_is_due(self) -> bool:
        return self._due(self.config.sample_every) or (
            self.config.sample_every > 0 and self.step == self.config.sample_first
        )

    def one_step(self) -> dict[str, Tensor]:
        """Take the next step; returns this process's part of the terms (see Steps.take)."""
        return self.steps.take(self.step)

    def _check(self, means: Mapping[str, float]) -> None:
        for name, value in means.items():
            if not math.isfinite(value):
                player, _, term = name.partition("/")
                raise DivergedError(
                    f"Losses must be finite numbers, but the {player}'s term {term!r} became {value} at or before step "
                    f"{self.step}. Resume from the last checkpoint with a lower learning rate, or clip gradients "
                    f"(train.clip_norm=1): t2i train --resume {self.run} train.lr_factor=0.3"
                )

    def _save(self) -> None:
        if name := self.steps.networks.first_infinite():
            raise DivergedError(
                f"Weights must be finite numbers, but at step {self.step} some of the module {name!r} are not, though "
                f"all losses were: a gradient was infinite. Resume from the last checkpoint with a lower learning "
                f"rate, or clip gradients (train.clip_norm=1): t2i train --resume {self.run} train.lr_factor=0.3"
            )
        if self.processes.main:
            seconds = self._spent.read()
            facts = self._facts.after(self.step, self.step * self.config.batch_size, seconds)
            save_checkpoint(
                self.run,
                self.step,
                self._state.tensors(),
                lambda folder: save_snapshot(self.ema.generator, folder, facts),
                self.config.keep_checkpoints,
                seconds,
                self._first_pictures,
            )

    def _restore(self) -> None:
        step, tensors = 0, {}
        seconds: Mapping[str, float] = {}
        if self.processes.main:
            tensors = self._state.tensors()
            if has_checkpoints(self.run):
                checkpoint = latest_checkpoint(self.run, self._warn)
                step, tensors, seconds = checkpoint.step, checkpoint.tensors(), checkpoint.seconds
                self._begun, self._first_pictures = None, checkpoint.first_pictures
        self.step, tensors = self.processes.share(step, tensors)
        self._state.load(tensors)
        self._spent.go_on(seconds)

    def _request_stop(self) -> None:
        self._stop = True
