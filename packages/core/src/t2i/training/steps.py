"""The steps of a run, for every technique: which players are updated, on which pictures, at which learning rate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from t2i.data.prepare import PreparedData
from t2i.noise import Noise
from t2i.training.batches import BatchMaker
from t2i.training.clock import Clock
from t2i.training.config import TrainConfig
from t2i.training.ema import EMA
from t2i.training.networks import Networks, moving
from t2i.training.objective import Batch, Objective, Phase
from t2i.training.player_step import Mover, trainable
from t2i.training.processes import Processes
from t2i.training.sampling import Draw, Sampler
from t2i.training.schedule import learning_rate
from t2i.training.validation import check_freeze, check_objective, phase_ends

WATCHED = 16  # pictures that `Phase.watch` is given


class Steps:
    """Takes steps; each is a function of (seed, step, process) and of what `SavedState` holds.

    Attributes:
        networks: the objective's networks, on the device.
        movers: the players of each phase, in order, by the phase's name.
        ema: the generator's moving average.
        clock: measures since its last restart.
        lr_scale: multiplies every learning rate; only a search for the rate changes it.
    """

    def __init__(
        self,
        objective: Objective,
        data: PreparedData,
        config: TrainConfig,
        accelerator: Accelerator,
        processes: Processes,
    ) -> None:
        """
        Raises:
            TrainingError: the objective contradicts itself.
            InvalidConfigError: what is to be frozen does not exist, or is all that a player trains.
            DataError: the objective needs mismatched captions, and the data has none.
        """
        check_objective(objective)
        check_freeze(objective, config.freeze)
        device = accelerator.device
        self._config, self._accelerator, self._processes = config, accelerator, processes
        self._phases, self._phase_ends = objective.phases, phase_ends(objective.phases, config.steps)
        layout = torch.channels_last if config.channels_last else torch.contiguous_format
        self.networks = Networks(objective, device, layout)
        self.movers = {
            phase.name: [Mover(player, accelerator, processes, config.freeze) for player in phase.players]
            for phase in self._phases
        }
        self.ema = EMA(objective.generator, config.ema_half_life_kimg, config.ema_ramp)
        if config.compile:
            for module in self.networks.trained.values():
                module.compile()
        mismatch = objective.needs_mismatched
        self._sampler = Sampler(data, config.batch_size, config.seed, config.balance, mismatch=mismatch, mix=config.mix)
        self._batches = BatchMaker(data, objective.generator.resolution, config.horizontal_flip, device)
        self.clock = Clock(device)
        self.lr_scale = 1.0
        self._images, self._begun = data.images, ""

    def take(self, step: int) -> dict[str, Tensor]:
        """Take step `step` (from 0): update every player whose turn it is.

        Returns:
            This process's part of each term's mean over the step's pictures; the sum over all processes is the mean.
        """
        phase, _ = self.phase(step)
        if phase.name != self._begun:
            self._begin(phase)
        draw = self._sampler.draw(step).share(self._processes.index, self._processes.count)
        movers = [mover for mover in self.movers[phase.name] if step % mover.player.every == 0]
        alone, together = phase.sharing == "none", phase.sharing == "together"
        shared: list[dict[str, Any]] = [{} for _ in range(self._config.accumulate)]
        means: dict[str, Tensor] = {}
        for turn in [movers] if together and movers else [[mover] for mover in movers]:
            if alone:
                shared = [{} for _ in shared]
            with trainable(turn if alone else movers):
                for name, value in self._add_gradients(step, draw, turn, shared):
                    means[name] = means.get(name, 0) + value
            for mover in turn:
                mover.move(self._config.clip_norm, self._learning_rate(step, mover))
        self._processes.average_buffers(moving(phase))
        self._processes.follow_main(list(self.networks.kept.values()))
        self.ema.update((step + 1) * self._config.batch_size, self._config.batch_size)
        return means

    def phase(self, step: int) -> tuple[Phase, float]:
        """The phase of this step, and the share of it that is done."""
        start = 0
        for phase, end in zip(self._phases, self._phase_ends, strict=True):
            if step < end:
                return phase, (step - start) / (end - start)
            start = end
        raise AssertionError("there is no step after the last phase")

    def watch(self, step: int) -> tuple[Mapping[str, Tensor], Sequence[str]]:
        """The result of `Phase.watch` for the phase of step `step`, and the captions of its batch."""
        phase, progress = self.phase(step)
        if phase.watch is None:
            return {}, ()
        (batch,) = self._batches.make(self._sampler.still(WATCHED), 1, progress, step)
        torch.manual_seed(self._config.seed)
        with self.networks.resting(phase), torch.no_grad(), self._accelerator.autocast():
            return phase.watch(batch), batch.captions

    def held_out_terms(self, step: int, batches: Sequence[Batch]) -> dict[str, float]:
        """The mean terms of `Phase.validate` over held-out batches, for the phase of step `step`; {} if it has none."""
        phase, _ = self.phase(step)
        if phase.validate is None:
            return {}
        sums: dict[str, float] = {}
        torch.manual_seed(self._config.seed)
        with self.networks.resting(phase), torch.no_grad(), self._accelerator.autocast():
            for batch in batches:
                for name, value in phase.validate(batch).items():
                    sums[name] = sums.get(name, 0.0) + float(value) * len(batch.images)
        return {name: value / sum(len(batch.images) for batch in batches) for name, value in sums.items()}

    def measures(self, steps: int) -> dict[str, float]:
        """Measurements of the last `steps` other than losses: speed, gradient norms, fp16's loss scale."""
        found = self.clock.read(steps * self._config.batch_size)
        for mover in [mover for movers in self.movers.values() for mover in movers]:
            if mover.norm is not None and math.isfinite(norm := float(mover.norm)):  # fp16 skips steps that overflow
                found[f"gradient/{mover.player.name}"] = norm
            mover.norm = None
        if self._accelerator.scaler is not None:
            found["fp16/loss_scale"] = float(self._accelerator.scaler.get_scale())
        return found

    def _begin(self, phase: Phase) -> None:
        """Settle the generator's average, set the modes, and call `Phase.start`."""
        self.ema.settle(parameter for module in moving(phase) for parameter in module.parameters())
        self.networks.begin(phase)
        if phase.start is not None:
            phase.start(self._images)
        self._begun = phase.name

    def _add_gradients(
        self, step: int, draw: Draw, turn: Sequence[Mover], shared: Sequence[dict[str, Any]]
    ) -> Iterator[tuple[str, Tensor]]:
        """Add these players' gradients over the step's micro-batches; yields the parts of their terms' means."""
        config, (phase, progress) = self._config, self.phase(step)
        first = self.movers[phase.name].index(turn[0])
        torch.manual_seed(_mix(config.seed, step, first, self._processes.index))  # dropout and the like
        batches = self._batches.make(draw, config.accumulate, progress, step, shared)
        for batch in self.clock.waiting_for(batches):
            for mover in turn:
                terms = mover.add_gradients(
                    batch if mover is turn[0] else _with_fresh_noise(batch),
                    config.batch_size,
                    alone=phase.sharing == "none",
                    keep_graph=mover is not turn[-1],
                )
                yield from terms.items()
            if phase.sharing == "together":
                batch.shared.clear()

    def _learning_rate(self, step: int, mover: Mover) -> float:
        start, end = (round(share * self._config.steps) for share in mover.player.span)
        rate = learning_rate(mover.player.optimizer, step - start, end - start, self._config.batch_size)
        return rate * self._config.lr_factor * self.lr_scale


def _with_fresh_noise(batch: Batch) -> Batch:
    """The batch with its noise streams at their start again, for the next loss."""
    return replace(batch, noise=Noise(batch.noise.seeds, batch.noise.device))


def _mix(seed: int, step: int, turn: int, process: int = 0) -> int:
    """One 63-bit number per (seed, step, turn, process), by a multiplicative hash."""
    return (
        seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9 + turn * 0x94D049BB133111EB + process * 0xD6E8FEB86659FD93
    ) % 2**63
