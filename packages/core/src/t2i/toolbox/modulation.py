"""Normalisation layers with scale and shift from a condition."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def modulated(x: Float[Tensor, "b c h w"], scale_shift: Float[Tensor, "b c2"], groups: int) -> Float[Tensor, "b c h w"]:
    """Group norm, scaled and shifted per picture, then leaky ReLU (FiLM, Perez et al. 2018).

    Args:
        scale_shift: c numbers to add to a scale of 1, then c shifts.
    """
    scale, shift = scale_shift[:, :, None, None].chunk(2, dim=1)
    return F.leaky_relu(F.group_norm(x, groups) * (1 + scale) + shift, 0.2)
