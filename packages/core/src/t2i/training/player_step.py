"""A player's move: its losses over the micro-batches, backward, clip, one step of its optimiser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor, nn

from t2i.training.objective import Batch, Player
from t2i.training.processes import Processes


class Mover:
    """A player with its optimiser.

    Attributes:
        norm: of the whole gradient at the first move since it was last set to None, before clipping.
    """

    def __init__(self, player: Player, accelerator: Accelerator, processes: Processes) -> None:
        self._player, self._accelerator, self._processes = player, accelerator, processes
        named = [
            (f"{key}.{name}", parameter)
            for key, module in player.modules.items()
            for name, parameter in module.named_parameters()
        ]
        self.names = [name for name, _ in named]
        self.norm: Tensor | None = None
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

    def move(self, batches: Iterable[Batch], pictures: int, clip_norm: float | None, lr: float) -> dict[str, Tensor]:
        """One optimiser step over this process's micro-batches of a step of `pictures` in all.

        Returns:
            Each term's mean over the step's pictures, as far as this process saw them: the processes' sum is the mean.
        """
        means: dict[str, Tensor] = {}
        with _only_trainable(self._parameters):
            for batch in batches:
                weight = len(batch.images) / pictures
                with self._accelerator.autocast():
                    terms = self._player.loss(batch)
                self._accelerator.backward(torch.stack([value.float() for value in terms.values()]).sum() * weight)
                for name, value in terms.items():
                    means[name] = means.get(name, 0) + value.detach().float() * weight
        self._processes.sum_gradients(self._parameters)
        self._measure(clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad()
        return means

    def _measure(self, clip_norm: float | None) -> None:
        """Clip the gradient, and keep its norm where nobody has yet."""
        if clip_norm is None and self.norm is not None:
            return
        if self.optimizer.scaler is not None:
            self.optimizer.scaler.unscale_(self.optimizer.optimizer)
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self._parameters, clip_norm, norm)
        if self.norm is None:
            self.norm = norm


@contextmanager
def _only_trainable(parameters: Sequence[nn.Parameter]) -> Iterator[None]:
    """Let gradients reach this player's parameters alone; everybody else's are frozen between moves."""
    for parameter in parameters:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(False)
