"""Pictures for evaluators."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from t2i.images import from_uint8


def pictures(count: int, side: int = 32, seed: int = 0) -> Tensor:
    """[count, 3, side, side] in [-1, 1]: smooth random blobs."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    fine = interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 1)
    return from_uint8((fine * 255).round().to(torch.uint8))
