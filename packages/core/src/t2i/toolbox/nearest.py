"""Reconstruction that leaves something to the noise: only the nearest of several drawings is compared."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


def nearest_noise(
    draw: Callable[[Float[Tensor, "b z"]], Float[Tensor, "b 3 h w"]],
    candidates: Float[Tensor, "b k z"],
    images: Float[Tensor, "b 3 h w"],
) -> Float[Tensor, "b z"]:
    """For each picture the one of its k candidates whose drawing has the least squared error.

    A pixel-wise error alone pulls all drawings of a caption to the mean of its pictures, whatever the noise. If only
    the nearest drawing is compared, the others stay free, and the noise learns to decide what the caption leaves
    open, such as the place of a thing (conditional IMLE; Li, Peng and Malik 2020, arXiv 2004.03590).

    Args:
        draw: noise -> drawings; called k times, without gradients.
        candidates: k draws of noise for each picture; a single one is returned as it is.
    """
    b, k = candidates.shape[:2]
    if k == 1:
        return candidates[:, 0]
    with torch.no_grad():
        errors = [(draw(candidates[:, one]) - images).square().flatten(1).mean(1) for one in range(k)]
    return candidates[torch.arange(b, device=images.device), torch.stack(errors, dim=1).argmin(1)]
