"""The precision "auto": bfloat16 if this machine computes it faster, else float32."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

FASTER = 1.5  # bfloat16, the coarser one, is chosen if it is this many times as fast as float32
RUNS = 5  # of each; the fastest counts, since other work on the machine can only slow a run down


def best_precision(device: torch.device) -> str:
    """ "bf16" or "no", as Accelerate calls them.

    On a GPU it depends on the hardware. On a CPU it is measured in about 50 milliseconds: many processors only emulate
    bfloat16, eight times slower than float32.
    """
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "no"
    if device.type == "cpu":
        plain, coarse = _seconds()
        return "bf16" if plain > FASTER * coarse else "no"
    return "no"


@cache  # cached: a process has one Accelerator, with one precision
def _seconds() -> tuple[float, float]:
    """The fastest training step of typical layers in float32 and in bfloat16, measured in turn."""
    fastest = [float("inf"), float("inf")]
    layers = _layers()
    for run in range(RUNS + 1):
        for index, coarse in enumerate((False, True)):
            start = time.perf_counter()
            with torch.enable_grad(), torch.autocast("cpu", torch.bfloat16, enabled=coarse):
                loss = layers()
            loss.backward()  # type: ignore[no-untyped-call]
            if run:  # the first one sets things up
                fastest[index] = min(fastest[index], time.perf_counter() - start)
    return fastest[0], fastest[1]


def _layers() -> Callable[[], Tensor]:
    """A linear layer and a convolution with its norm, over ones; leaves torch's random generator untouched."""
    rows, weight = torch.ones(256, 512), torch.ones(512, 512, requires_grad=True)
    pictures, kernel = torch.ones(4, 64, 16, 16), torch.ones(64, 64, 3, 3, requires_grad=True)

    def run() -> Tensor:
        drawn = F.batch_norm(F.conv2d(pictures, kernel, padding=1), None, None, training=True)
        return F.linear(rows, weight).float().mean() + drawn.float().mean()

    return run
