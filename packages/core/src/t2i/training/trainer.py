"""The one training loop: every phase, every player, whatever the technique."""

from __future__ import annotations

import math
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor, nn

from t2i.data.batches import BatchMaker
from t2i.data.prepared import PreparedData
from t2i.data.sampling import Sampler
from t2i.errors import DivergedError, TrainingError
from t2i.hub.snapshots import SnapshotFacts, save_snapshot
from t2i.training.checkpoint import (
    has_checkpoints,
    latest_checkpoint,
    load_module,
    load_optimizer,
    module_tensors,
    optimizer_tensors,
    save_checkpoint,
)
from t2i.training.config import OptimizerConfig, TrainConfig
from t2i.training.ema import EMA
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i.training.report import RunReport, Samples, default_samples


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

    Everything random is a function of (seed, step), so a run that is stopped and resumed equals one that was
    not, bit for bit on a CPU.
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
        warn: Callable[[str], None] = lambda message: None,
    ) -> None:
        """
        Args:
            objective: the technique's, its generator at the data's resolution.
            run: the run folder; new, or to be resumed.
            samples: prompts to draw again and again; by default 16 captions of the data.
            facts: what snapshots say of themselves beside the steps.
            device: "cpu" keeps Accelerate from using a GPU.

        Raises:
            TrainingError: the objective's phases are inconsistent, more than one process was launched, or
                Accelerate refuses the precision or the tracker.
            DataError: nothing in the data can be mismatched.
        """
        precision = config.precision
        if precision == "auto":
            precision = (
                "bf16" if device != "cpu" and torch.cuda.is_available() and torch.cuda.is_bf16_supported() else "no"
            )
        try:
            self.accelerator = Accelerator(
                mixed_precision=precision,
                cpu=device == "cpu",
                log_with=None if config.tracker == "none" else config.tracker,
                project_dir=run,
            )
        except ValueError as error:
            raise TrainingError(
                f"Accelerate refuses device={device!r}, precision={precision!r}, tracker={config.tracker!r}: {error} "
                f"(One process trains on one device at one precision; start another for the next run.)"
            ) from None
        if self.accelerator.num_processes > 1:
            raise TrainingError("A run uses one process, but several were launched. Start it without a launcher.")
        self.objective, self.config, self.run = objective, config, run
        self._facts = facts or SnapshotFacts(dataset=data.name, license=data.license)
        self._samples, self._warn = samples or default_samples(data), warn
        _check_names(objective.phases)
        self._phase_ends = _phase_ends(objective.phases, config.steps)
        layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self._modules = _modules(objective)
        for module in {objective.generator, *self._modules.values()}:
            module.to(self.accelerator.device, memory_format=layout)  # type: ignore[call-overload]
        self._players = {
            (phase.name, player.name): _Mover(player, self.accelerator)
            for phase in objective.phases
            for player in phase.players
        }
        self.ema = EMA(objective.generator, config.ema_half_life_kimg)
        self._sampler = Sampler(data, config.batch_size, config.seed, config.balance)
        self._batches = BatchMaker(
            data, objective.generator.resolution, config.horizontal_flip, self.accelerator.device
        )
        self.step = 0
        self._stop = False

    def fit(self) -> TrainResult:
        """Train from the newest checkpoint (or the start) to the end, or until Ctrl-C or SIGTERM.

        Raises:
            DivergedError: a loss is not finite; names player and term. The checkpoints before it stay.
            CheckpointError: the run's checkpoints do not fit this objective.
            OutputError: the run folder cannot be written.
        """
        self._restore()
        total, batch_size = self.config.steps, self.config.batch_size
        report = RunReport(self.run, self.accelerator, self.ema.generator, self._samples, self.step)
        self.accelerator.init_trackers("", init_kwargs={"tensorboard": {"purge_step": self.step + 1}})
        with _interruptible(self._request_stop), report.progress(self.step, total, batch_size) as advance:
            while self.step < total and not self._stop:
                terms = self.one_step()
                self.step += 1
                advance(terms)
                if self._due(self.config.log_every):
                    self._check(report.log(self.step))
                if self._due(self.config.sample_every):
                    report.sample(self.step)
                if self._due(self.config.checkpoint_every):
                    self._check(report.log(self.step))
                    self._save()
            if self.step % self.config.checkpoint_every and self.step < total:  # interrupted
                self._check(report.log(self.step))
                self._save()
        self.accelerator.end_training()
        return TrainResult(self.run, self.step, finished=self.step >= total)

    def _due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.config.steps

    def one_step(self) -> dict[str, Tensor]:
        phase, progress = self._phase()
        draw = self._sampler.draw(self.step)
        terms: dict[str, Tensor] = {}
        for turn, player in enumerate(phase.players):
            if self.step % player.every:
                continue
            torch.manual_seed(_mix(self.config.seed, self.step, turn))  # dropout and the like
            mover = self._players[phase.name, player.name]
            batches = self._batches.make(draw, self.config.accumulate, progress)
            start, end = (round(share * self.config.steps) for share in player.span)
            lr = learning_rate(player.optimizer, self.step - start, end - start, self.config.batch_size)
            for name, value in mover.move(batches, self.config.accumulate, self.config.clip_norm, lr).items():
                terms[f"{player.name}/{name}"] = value
        self.ema.update((self.step + 1) * self.config.batch_size, self.config.batch_size)
        return terms

    def _phase(self) -> tuple[Phase, float]:
        """The phase of this step, and how much of it is done."""
        start = 0
        for phase, end in zip(self.objective.phases, self._phase_ends, strict=True):
            if self.step < end:
                return phase, (self.step - start) / (end - start)
            start = end
        raise AssertionError("no step lies behind the last phase")

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
        tensors = module_tensors("ema", self.ema.generator)
        for name, module in self._modules.items():
            tensors |= module_tensors(f"module.{name}", module)
        for (phase, player), mover in self._players.items():
            tensors |= optimizer_tensors(f"optimizer.{phase}.{player}", mover.optimizer, mover.names)
        facts = self._facts.after(self.step, self.step * self.config.batch_size)
        save_checkpoint(
            self.run,
            self.step,
            tensors,
            lambda folder: save_snapshot(self.ema.generator, folder, facts),
            self.config.keep_checkpoints,
        )

    def _restore(self) -> None:
        if not has_checkpoints(self.run):
            return
        checkpoint = latest_checkpoint(self.run, self._warn)
        tensors = checkpoint.tensors()
        load_module("ema", self.ema.generator, tensors)
        for name, module in self._modules.items():
            load_module(f"module.{name}", module, tensors)
        for (phase, player), mover in self._players.items():
            load_optimizer(f"optimizer.{phase}.{player}", mover.optimizer, mover.names, tensors)
        self.step = checkpoint.step

    def _request_stop(self) -> None:
        self._stop = True


class _Mover:
    """A player with its optimiser."""

    def __init__(self, player: Player, accelerator: Accelerator) -> None:
        self._player, self._accelerator = player, accelerator
        named = [
            (f"{key}.{name}", parameter)
            for key, module in player.modules.items()
            for name, parameter in module.named_parameters()
        ]
        self.names = [name for name, _ in named]
        self._parameters = [parameter for _, parameter in named]
        settings = player.optimizer
        kind = torch.optim.AdamW if settings.weight_decay else torch.optim.Adam
        optimizer = kind(
            self._parameters,
            lr=settings.lr,
            betas=(settings.beta1, settings.beta2),
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.optimizer = AcceleratedOptimizer(optimizer, device_placement=False, scaler=accelerator.scaler)

    def move(self, batches: Iterator[Batch], parts: int, clip_norm: float | None, lr: float) -> dict[str, Tensor]:
        """One optimiser step over `parts` micro-batches; returns each term's mean."""
        means: dict[str, Tensor] = {}
        with _only_trainable(self._player, self._parameters):
            for batch in batches:
                with self._accelerator.autocast():
                    terms = self._player.loss(batch)
                self._accelerator.backward(torch.stack([value.float() for value in terms.values()]).sum() / parts)
                for name, value in terms.items():
                    means[name] = means.get(name, 0) + value.detach().float() / parts
        if clip_norm is not None:
            self._accelerator.unscale_gradients(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self._parameters, clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad()
        return means


@contextmanager
def _only_trainable(player: Player, parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Let gradients reach this player's parameters alone; everybody else's are frozen between moves."""
    for parameter in parameters:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(False)


@contextmanager
def _interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """Turn the first Ctrl-C or SIGTERM into a call of `stop`; a second Ctrl-C interrupts at once."""

    def handle(number: int, frame: FrameType | None) -> None:
        stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread alone
        return
    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def learning_rate(config: OptimizerConfig, step: int, steps: int, batch_size: int) -> float:
    """The learning rate of step `step` (from 0) of `steps`."""
    warmup = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    match config.schedule:
        case "halving":
            return config.lr * warmup * 0.5 ** (step * batch_size // max(1, round(config.halve_every_kimg * 1000)))
        case "cosine":
            return config.lr * warmup * 0.5 * (1 + math.cos(math.pi * step / steps))
        case _:
            return config.lr * warmup


def _modules(objective: Objective) -> dict[str, nn.Module]:
    """Every player's modules by name, frozen until their player moves.

    Raises:
        TrainingError: one name stands for two modules.
    """
    modules: dict[str, nn.Module] = {}
    for phase in objective.phases:
        for player in phase.players:
            for name, module in player.modules.items():
                if modules.setdefault(name, module) is not module:
                    raise TrainingError(f"Module names are unique in an objective, but {name!r} names two modules.")
                module.requires_grad_(False).train()
    return modules


def _check_names(phases: Sequence[Phase]) -> None:
    """
    Raises:
        TrainingError: a phase, or a player in its phase, has another's name, or a name a checkpoint cannot hold.
    """
    for what, names in (
        ("an objective's phases", [phase.name for phase in phases]),
        *((f"the players of {phase.name}", [player.name for player in phase.players]) for phase in phases),
        ("modules", {name for phase in phases for player in phase.players for name in player.modules}),
    ):
        for name, count in Counter(names).items():
            if count > 1:
                raise TrainingError(f"Names are unique among {what}, but {name!r} stands for {count} here.")
            if set(name) & set(".:/"):
                raise TrainingError(f"Names among {what} hold no dot, colon or slash, but {name!r} does.")


def _phase_ends(phases: Sequence[Phase], steps: int) -> list[int]:
    """The step at which each phase ends."""
    total, ends = 0.0, []
    for phase in phases:
        total += phase.share
        ends.append(round(total * steps))
    if not phases or not math.isclose(total, 1.0):
        raise TrainingError(f"The shares of an objective's phases sum to 1, but to {total} here.")
    return ends


def _mix(seed: int, step: int, turn: int) -> int:
    """One 63-bit number per (seed, step, turn), by a multiplicative hash."""
    return (seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9 + turn * 0x94D049BB133111EB) % 2**63
