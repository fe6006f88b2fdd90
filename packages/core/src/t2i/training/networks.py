"""The networks of a run: their device, their mode in each phase, and their tensors by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from t2i.training.checkpoint import load_module, module_tensors
from t2i.training.objective import Objective, Phase
from t2i.training.validation import modules_of


class Networks:
    """An objective's modules on their device, frozen except while their players are updated.

    Attributes:
        trained: every player's modules by name.
        kept: the objective's `keeps`, by name.
    """

    def __init__(self, objective: Objective, device: torch.device, layout: torch.memory_format) -> None:
        self.trained, self.kept = modules_of(objective), dict(objective.keeps)
        self._generator = objective.generator
        self._all = {objective.generator, *self.trained.values(), *self.kept.values()}
        for module in self._all:
            module.requires_grad_(False).eval().to(device, memory_format=layout)  # type: ignore[call-overload]

    def begin(self, phase: Phase) -> None:
        """Put the modules of the phase's players in train mode and all others in eval mode."""
        for module in self._all:
            module.eval()
        for module in moving(phase):
            module.train()
        for module in self.kept.values():
            module.eval()

    @contextmanager
    def resting(self, phase: Phase) -> Iterator[None]:
        """Put everything in eval mode for the block, then restore the modes of `phase`."""
        for module in self._all:
            module.eval()
        yield
        self.begin(phase)

    def tensors(self) -> dict[str, Tensor]:
        """Every parameter and buffer, as "module.NAME..." and "keep.NAME..."."""
        tensors: dict[str, Tensor] = {}
        for prefix, module in self._named():
            tensors |= module_tensors(prefix, module)
        return tensors

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Load what `tensors` returned.

        Raises:
            CheckpointError: names or shapes differ.
        """
        for prefix, module in self._named():
            load_module(prefix, module, tensors)

    @torch.no_grad()
    def settle(self, average: nn.Module) -> None:
        """Copy the average's values into the generator's untrained tensors; checkpoints hold only the average's."""
        trained = {id(t) for module in self.trained.values() for t in (*module.parameters(), *module.buffers())}
        values = average.state_dict()
        for name, tensor in self._generator.state_dict(keep_vars=True).items():
            if id(tensor) not in trained:
                tensor.copy_(values[name])

    def first_infinite(self) -> str | None:
        """The name of a trained module with a weight that is not a finite number."""
        for name, module in self.trained.items():
            if not all(parameter.isfinite().all() for parameter in module.parameters()):
                return name
        return None

    def _named(self) -> Iterator[tuple[str, nn.Module]]:
        yield from ((f"module.{name}", module) for name, module in self.trained.items())
        yield from ((f"keep.{name}", module) for name, module in self.kept.items())


def moving(phase: Phase) -> list[nn.Module]:
    """The modules of the phase's players."""
    return [module for player in phase.players for module in player.modules.values()]
