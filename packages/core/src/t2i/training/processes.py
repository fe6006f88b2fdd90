"""Communication between the processes of one run: sum gradients, share a state, stop at the same step.

Each process holds complete networks and sees its share of every step's pictures. Gradients are summed once per update
of a player, after the backward pass, in one flat all-reduce: no hook inside autograd, so second derivatives (R1) work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from accelerate import Accelerator
from torch import Tensor, nn

from t2i.errors import TrainingError


class Processes:
    """All processes of a run; with a single one, the methods do nothing."""

    def __init__(self, accelerator: Accelerator, run: Path) -> None:
        self.index: int = accelerator.process_index
        self.count: int = accelerator.num_processes
        self._device, self._run = accelerator.device, run
        self._wish: Callable[[], bool] = lambda: False

    @property
    def main(self) -> bool:
        """Whether this is process 0, the only one that reads and writes the run folder."""
        return self.index == 0

    def sum_(self, tensor: Tensor) -> Tensor:
        """`tensor`, summed over the processes in place."""
        if self.count > 1:
            with self._together():
                dist.all_reduce(tensor)
        return tensor

    def sum_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Sum every gradient over the processes; a missing one counts as zero."""
        if self.count == 1:
            return
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = self.sum_(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        for parameter, gradient, part in zip(parameters, gradients, _parts(flat, gradients), strict=True):
            parameter.grad = gradient.copy_(part)

    def average_buffers(self, modules: Sequence[nn.Module]) -> None:
        """Average the networks' floating-point buffers (running statistics, codebook counts) over the processes."""
        if self.count == 1:
            return
        distinct = {id(b): b for module in modules for b in module.buffers() if b.is_floating_point()}
        buffers = list(distinct.values())
        if buffers:
            flat = self.sum_(torch.cat([buffer.reshape(-1).float() for buffer in buffers])) / self.count
            for buffer, part in zip(buffers, _parts(flat, buffers), strict=True):
                buffer.copy_(part)

    def follow_main(self, modules: Sequence[nn.Module]) -> None:
        """Copy the buffers of `modules` from process 0 to every process."""
        if self.count == 1:
            return
        with self._together():
            for buffer in [buffer for module in modules for buffer in module.buffers()]:
                dist.broadcast(buffer.view(torch.uint8) if buffer.dtype == torch.bool else buffer, src=0)

    def share(self, step: int, tensors: Mapping[str, Tensor]) -> tuple[int, dict[str, Tensor]]:
        """Process 0's step and tensors, on every process; only process 0's arguments count."""
        if self.count == 1:
            return step, dict(tensors)
        with self._together():
            message: list[Any] = [step, [(name, t.dtype, t.shape) for name, t in tensors.items()]]
            dist.broadcast_object_list(message, device=self._device)
            step, layout = message
            shared = {}
            for name, dtype, shape in layout:
                here = tensors[name] if self.main else torch.empty(shape, dtype=dtype)
                wire = here.to(self._device).contiguous().reshape(-1).view(torch.uint8)  # bool too
                dist.broadcast(wire, src=0)
                shared[name] = wire.view(dtype).view(shape)
        return step, shared

    def agree(self, stop: bool) -> bool:
        """Whether any process wants to stop; all processes get the same answer at the same step.

        With several processes the answer is that of the previous call, so that no device waits for it.
        """
        if self.count == 1:
            return stop
        with self._together():
            agreed = self._wish()
            flag = torch.tensor(float(stop), device=self._device)
            work = dist.all_reduce(flag, async_op=True)

        def answer() -> bool:
            work.wait()
            return bool(flag)

        self._wish = answer
        return agreed

    def wait(self) -> None:
        """Wait until every process gets here."""
        if self.count > 1:
            with self._together():
                dist.barrier()

    def part(self) -> None:
        """End the group, once the run is done."""
        if self.count > 1:
            dist.destroy_process_group()

    @contextmanager
    def main_first(self) -> Iterator[None]:
        """Run the block in process 0 first, then in the others, which find its results in the cache."""
        if not self.main:
            self.wait()
        yield
        if self.main:
            self.wait()

    @contextmanager
    def _together(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:  # raised by every backend for a closed connection
            raise TrainingError(
                f"Another process of this run ended ({_first_line(error)}), so this one cannot continue. Fix what the "
                f"other one reports and continue from the last checkpoint: t2i train --resume {self._run}"
            ) from None


def _parts(flat: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """`flat` cut into pieces of these shapes."""
    pieces = torch.split_with_sizes(flat, [tensor.numel() for tensor in like])
    return [piece.view(tensor.shape) for piece, tensor in zip(pieces, like, strict=True)]


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
