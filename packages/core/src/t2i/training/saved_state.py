"""The part of a run that a checkpoint holds, by name: networks, their average, optimisers and the loss scale."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.amp import GradScaler

from t2i.training.checkpoint import (
    load_module,
    load_optimizer,
    load_scaler,
    module_tensors,
    optimizer_tensors,
    scaler_tensors,
)
from t2i.training.steps import Steps


class SavedState:
    """Gets and sets the tensors that a run resumes from."""

    def __init__(self, steps: Steps, scaler: GradScaler | None) -> None:
        self._networks, self._ema, self._scaler = steps.networks, steps.ema, scaler
        self._movers = {
            f"optimizer.{phase}.{mover.player.name}": mover
            for phase, movers in steps.movers.items()
            for mover in movers
        }

    def tensors(self) -> dict[str, Tensor]:
        """The current tensors, not copied."""
        tensors = module_tensors("ema", self._ema.generator) | self._networks.tensors()
        for name, mover in self._movers.items():
            tensors |= optimizer_tensors(name, mover.optimizer, mover.names)
        return tensors | scaler_tensors(self._scaler)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Load what `tensors` returned.

        Raises:
            CheckpointError: names or shapes differ.
        """
        load_module("ema", self._ema.generator, tensors)
        self._networks.settle(self._ema.generator)
        self._networks.load(tensors)
        for name, mover in self._movers.items():
            load_optimizer(name, mover.optimizer, mover.names, tensors)
        load_scaler(self._scaler, tensors)
