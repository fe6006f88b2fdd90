"""The one training loop: every phase, every player, whatever the technique."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from t2i.data.prepare import PreparedData
from t2i.errors import DivergedError
from t2i.runs.checkpoints import has_checkpoints, latest_checkpoint
from t2i.snapshots.record import SnapshotFacts
from t2i.snapshots.save import save_snapshot
from t2i.training.accelerator import deterministic_kernels, make_accelerator
from t2i.training.batches import BatchMaker
from t2i.training.checkpoint import (
    load_module,
    load_optimizer,
    load_scaler,
    module_tensors,
    optimizer_tensors,
    save_checkpoint,
    scaler_tensors,
)
from t2i.training.clock import Clock
from t2i.training.config import TrainConfig
from t2i.training.elapsed_time import Spent, device_name
from t2i.training.ema import EMA
from t2i.training.objective import Objective, Phase
from t2i.training.player_step import Mover
from t2i.training.processes import Processes
from t2i.training.report.report import RunReport, Samples, default_samples
from t2i.training.sampling import Sampler
from t2i.training.schedule import learning_rate
from t2i.training.signals import interruptible
from t2i.training.validation import check_names, modules_of, phase_ends


@dataclass(frozen=True)
class TrainResult:
    """How a run ended.

    Attributes:
        run: its folder, which is a model.
        step: how many steps are done.
        finished: whether those are all; else it was interrupted and can be resumed.
    """

    run: Path
    step: int
    finished: bool


class Trainer:
    """Trains an Objective on prepared data, into a run folder that can be resumed and is a model.

    Everything random is a function of (seed, step, process), so a run that is stopped and resumed equals one that was
    not, bit for bit on a CPU. Several processes share each step's pictures, and process 0 alone writes.
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
    ) -> None:
        """
        Args:
            objective: the technique's, its generator at the data's resolution.
            run: the run folder; new, or to be resumed.
            samples: prompts to draw again and again; by default 16 captions of the data.
            facts: what snapshots say of themselves beside the steps.
            device: "cpu" keeps Accelerate from using a GPU.
            accelerator: by default what `make_accelerator` makes of `config`, `run` and `device`.

        Raises:
            InvalidConfigError, TrainingError: as `make_accelerator` does; or the objective's phases are inconsistent.
            DataError: nothing in the data can be mismatched.
        """
        self.accelerator = accelerator or make_accelerator(config, run, device)
        self.processes = Processes(self.accelerator, run)
        self.objective, self.config, self.run = objective, config, run
        self._facts = facts or SnapshotFacts(dataset=data.name, license=data.license)
        self._samples, self._warn = samples or default_samples(data), warn
        check_names(objective.phases)
        self._phase_ends = phase_ends(objective.phases, config.steps)
        layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self._modules = modules_of(objective)
        for module in self._modules.values():
            module.requires_grad_(False).train()
        for module in {objective.generator, *self._modules.values()}:
            module.to(self.accelerator.device, memory_format=layout)  # type: ignore[call-overload]
        self._players = {
            (phase.name, player.name): Mover(player, self.accelerator, self.processes)
            for phase in objective.phases
            for player in phase.players
        }
        self.ema = EMA(objective.generator, config.ema_half_life_kimg, config.ema_ramp)
        if config.compile:
            for module in self._modules.values():
                module.compile()
        self._sampler = Sampler(data, config.batch_size, config.seed, config.balance)
        self._batches = BatchMaker(
            data, objective.generator.resolution, config.horizontal_flip, self.accelerator.device
        )
        self._clock = Clock(self.accelerator.device)
        self._spent = Spent(device_name(self.accelerator.device, self.processes.count))
        self._images, self._begun = data.images, ""
        self.step = 0
        self._stop = False

    def fit(self) -> TrainResult:
        """Train from the newest checkpoint (or the start) to the end, or until Ctrl-C or SIGTERM.

        Raises:
            DivergedError: a loss is not finite; names player and term. The checkpoints before it stay.
            CheckpointError: the run's checkpoints do not fit this objective.
            OutputError: the run folder cannot be written.
            TrainingError: another process of the run ended.
        """
        self._restore()
        total, batch_size = self.config.steps, self.config.batch_size
        report = RunReport(
            self.run, self.accelerator, self.processes, self.ema.generator, self._samples, self.step, total, self._warn
        )
        with (
            report.trackers(),
            interruptible(self._request_stop),
            deterministic_kernels(self.config.deterministic),
            report.progress(self.step, total, batch_size) as advance,
        ):
            stopped, logged = False, self.step
            self._clock.restart()
            while self.step < total and not stopped:
                terms = self.one_step()
                self.step += 1
                advance(terms)
                stopped = self.processes.agree(self._stop) and self.step < total
                if self._due(self.config.log_every) or self._due(self.config.checkpoint_every) or stopped:
                    self._check(report.log(self.step, self._measures(self.step - logged)))
                    logged = self.step
                if self._due(self.config.sample_every):
                    report.sample(self.step)
                if self._due(self.config.checkpoint_every) or stopped:
                    self._save()
            self.processes.wait()
        return TrainResult(self.run, self.step, finished=self.step >= total)

    def _due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.config.steps

    def one_step(self) -> dict[str, Tensor]:
        """Every player's move; returns the terms as far as this process saw them (see Mover.move)."""
        phase, progress = self._phase()
        if phase.name != self._begun:
            self._begin(phase)
        draw = self._sampler.draw(self.step).share(self.processes.index, self.processes.count)
        terms: dict[str, Tensor] = {}
        for turn, player in enumerate(phase.players):
            if self.step % player.every:
                continue
            torch.manual_seed(_mix(self.config.seed, self.step, turn, self.processes.index))  # dropout and the like
            batches = self._clock.waiting_for(self._batches.make(draw, self.config.accumulate, progress))
            start, end = (round(share * self.config.steps) for share in player.span)
            lr = learning_rate(player.optimizer, self.step - start, end - start, self.config.batch_size)
            mover = self._players[phase.name, player.name]
            for name, value in mover.move(batches, self.config.batch_size, self.config.clip_norm, lr).items():
                terms[f"{player.name}/{name}"] = value
        self.processes.average_buffers(list(self._modules.values()))
        self.ema.update((self.step + 1) * self.config.batch_size, self.config.batch_size)
        return terms

    def _begin(self, phase: Phase) -> None:
        """Settle what the phase builds upon, and let it look at the pictures once."""
        self.ema.settle(p for player in phase.players for m in player.modules.values() for p in m.parameters())
        if phase.start is not None:
            phase.start(self._images)
        self._begun = phase.name

    def _phase(self) -> tuple[Phase, float]:
        """The phase of this step, and how much of it is done."""
        start = 0
        for phase, end in zip(self.objective.phases, self._phase_ends, strict=True):
            if self.step < end:
                return phase, (self.step - start) / (end - start)
            start = end
        raise AssertionError("no step lies behind the last phase")

    def _measures(self, steps: int) -> dict[str, float]:
        """What is worth knowing of the last `steps` beside the losses: speed, gradients, fp16's scale."""
        found = self._clock.read(steps * self.config.batch_size)
        for (_, player), mover in self._players.items():
            if mover.norm is not None and math.isfinite(norm := float(mover.norm)):  # fp16 skips steps that overflow
                found[f"gradient/{player}"] = norm
            mover.norm = None
        if self.accelerator.scaler is not None:
            found["fp16/loss_scale"] = float(self.accelerator.scaler.get_scale())
        return found

    def _check(self, means: Mapping[str, float]) -> None:
        for name, value in means.items():
            if not math.isfinite(value):
                player, _, term = name.partition("/")
                raise DivergedError(
                    f"Losses are finite numbers, but the {player}'s term {term!r} is {value} at or before step "
                    f"{self.step}. Lower the learning rate, or clip gradients (train.clip_norm=1), and resume "
                    f"from the last checkpoint in {self.run}."
                )

    def _save(self) -> None:
        for name, module in self._modules.items():
            if not all(parameter.isfinite().all() for parameter in module.parameters()):
                raise DivergedError(
                    f"Weights are finite numbers, but some of the module {name!r} are not at step {self.step}, though "
                    f"all losses were: a gradient was infinite. Lower the learning rate, or clip gradients "
                    f"(train.clip_norm=1), and resume from the last checkpoint in {self.run}."
                )
        if self.processes.main:
            seconds = self._spent.read()
            facts = self._facts.after(self.step, self.step * self.config.batch_size, seconds)
            save_checkpoint(
                self.run,
                self.step,
                self._state(),
                lambda folder: save_snapshot(self.ema.generator, folder, facts),
                self.config.keep_checkpoints,
                seconds,
            )

    def _state(self) -> dict[str, Tensor]:
        tensors = module_tensors("ema", self.ema.generator)
        for name, module in self._modules.items():
            tensors |= module_tensors(f"module.{name}", module)
        for (phase, player), mover in self._players.items():
            tensors |= optimizer_tensors(f"optimizer.{phase}.{player}", mover.optimizer, mover.names)
        return tensors | scaler_tensors(self.accelerator.scaler)

    def _restore(self) -> None:
        step, tensors = 0, {}
        seconds: Mapping[str, float] = {}
        if self.processes.main:
            tensors = self._state()
            if has_checkpoints(self.run):
                checkpoint = latest_checkpoint(self.run, self._warn)
                step, tensors, seconds = checkpoint.step, checkpoint.tensors(), checkpoint.seconds
        self.step, tensors = self.processes.share(step, tensors)
        load_module("ema", self.ema.generator, tensors)
        for name, module in self._modules.items():
            load_module(f"module.{name}", module, tensors)
        for (phase, player), mover in self._players.items():
            load_optimizer(f"optimizer.{phase}.{player}", mover.optimizer, mover.names, tensors)
        load_scaler(self.accelerator.scaler, tensors)
        self._spent.go_on(seconds)

    def _request_stop(self) -> None:
        self._stop = True


def _mix(seed: int, step: int, turn: int, process: int = 0) -> int:
    """One 63-bit number per (seed, step, turn, process), by a multiplicative hash."""
    return (
        seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9 + turn * 0x94D049BB133111EB + process * 0xD6E8FEB86659FD93
    ) % 2**63
