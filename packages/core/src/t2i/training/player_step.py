"""A player's part in a step: gradients of its loss, batch after batch, then one step of its optimiser."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from torch import Tensor, nn

from t2i.errors import InvalidConfigError
from t2i.training.objective import Batch, Player
from t2i.training.processes import Processes


class Mover:
    """A player with its optimiser.

    Attributes:
        player: as the objective declares it.
        parameters: the parameters of its modules that are trained.
        names: the parameters' names.
        norm: norm of the gradient before clipping, at the first update since it was set to None.
    """

    def __init__(
        self, player: Player, accelerator: Accelerator, processes: Processes, freeze: tuple[str, ...] = ()
    ) -> None:
        """
        Args:
            freeze: starts of the names of parameters that are not trained.

        Raises:
            InvalidConfigError: no parameter is left.
        """
        self.player, self._accelerator, self._processes = player, accelerator, processes
        named = [
            (f"{key}.{name}", parameter)
            for key, module in player.modules.items()
            for name, parameter in module.named_parameters()
            if not f"{key}.{name}.".startswith(tuple(f"{start}." for start in freeze))
        ]
        if not named:
            raise InvalidConfigError(
                f"Each player must have a parameter to train, but train.freeze={list(freeze)} freezes all of "
                f"{player.name!r}. Freeze less."
            )
        self.names = [name for name, _ in named]
        self.parameters = [parameter for _, parameter in named]
        self.norm: Tensor | None = None
        settings = player.optimizer
        kind = torch.optim.AdamW if settings.weight_decay else torch.optim.Adam
        optimizer = kind(
            self.parameters,
            lr=settings.lr,
            betas=(settings.beta1, settings.beta2),
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        self.optimizer = AcceleratedOptimizer(optimizer, device_placement=False, scaler=accelerator.scaler)

    def add_gradients(
        self, batch: Batch, pictures: int, *, alone: bool = True, keep_graph: bool = False
    ) -> dict[str, Tensor]:
        """Add this micro-batch's part of the gradient over a step of `pictures` in all.

        Args:
            alone: no other player's parameters need gradients now.
            keep_graph: other losses will backpropagate through the same computations.

        Returns:
            This micro-batch's part of each term's mean over the step's pictures.
        """
        weight = len(batch.images) / pictures
        with self._accelerator.autocast():
            terms = self.player.loss(batch)
        loss = torch.stack([value.float() for value in terms.values()]).sum() * weight
        if alone:
            self._accelerator.backward(loss)
        else:
            self._accelerator.backward(loss, inputs=self.parameters, retain_graph=keep_graph)
        return {f"{self.player.name}/{name}": value.detach().float() * weight for name, value in terms.items()}

    def move(self, clip_norm: float | None, lr: float) -> None:
        """Step the optimiser by the gradients that were added, summed over the processes."""
        self._processes.sum_gradients(self.parameters)
        self._measure(clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _measure(self, clip_norm: float | None) -> None:
        """Clip the gradient, and store its norm if none is stored."""
        if clip_norm is None and self.norm is not None:
            return
        if self.optimizer.scaler is not None:
            self.optimizer.scaler.unscale_(self.optimizer.optimizer)
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, clip_norm, norm)
        if self.norm is None:
            self.norm = norm


@contextmanager
def trainable(movers: Iterable[Mover]) -> Iterator[None]:
    """Let only the parameters of these players have gradients; all others stay frozen."""
    parameters: Sequence[nn.Parameter] = [parameter for mover in movers for parameter in mover.parameters]
    for parameter in parameters:
        parameter.requires_grad_(True)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(False)
