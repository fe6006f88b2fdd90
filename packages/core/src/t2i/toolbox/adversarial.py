"""Losses that adversarial techniques share: on logits, and between two pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Kind = Literal["hinge", "bce"]
"""bce: Goodfellow et al. 2014, eq. 1, the generator's non-saturating (sec. 3); hinge: Lim and Ye 2017."""


def real_loss(logits: Float[Tensor, "*n"], kind: Kind) -> Float[Tensor, ""]:
    """Low if the discriminator rates real pictures as real."""
    return F.softplus(-logits).mean() if kind == "bce" else F.relu(1 - logits).mean()


def fake_loss(logits: Float[Tensor, "*n"], kind: Kind) -> Float[Tensor, ""]:
    """Low if the discriminator rates fake pictures as fake."""
    return F.softplus(logits).mean() if kind == "bce" else F.relu(1 + logits).mean()


def fooling_loss(logits: Float[Tensor, "*n"], kind: Kind) -> Float[Tensor, ""]:
    """Low if the discriminator rates the generator's pictures as real."""
    return F.softplus(-logits).mean() if kind == "bce" else -logits.mean()


def gradient_penalty(logits: Float[Tensor, " b"], images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, ""]:
    """R1: the mean squared norm of d logit / d image on real pictures (Mescheder et al. 2018, eq. 9)."""
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()


def matching_penalty(
    logits: Float[Tensor, " b"], images: Float[Tensor, "b 3 h w"], condition: Float[Tensor, "b c"]
) -> Float[Tensor, ""]:
    """MA-GP: the mean sixth power of the norm of d logit / d (image, condition) on real pairs (Tao et al. 2022, eq. 2).

    As released, one norm over both gradients; the paper writes the sum of two.
    """
    gradients = torch.autograd.grad(logits.sum(), (images, condition), create_graph=True)
    squares = torch.stack([gradient.square().flatten(1).sum(1) for gradient in gradients])
    return squares.sum(0).pow(3).mean()


def feature_distance(features: Sequence[Tensor], wanted: Sequence[Tensor]) -> Float[Tensor, ""]:
    """Mean over layers of the L1 distance, relative to the mean size of `wanted` (Salimans et al. 2016, sec. 3.1)."""
    return torch.stack([F.l1_loss(f, w) / w.abs().mean() for f, w in zip(features, wanted, strict=True)]).mean()


def rolled(most: int, *images: Float[Tensor, "_ 3 h w"]) -> tuple[Tensor, ...]:
    """All of `images` rolled by one random offset of at most `most` pixels per axis (DiffAugment, Zhao et al. 2020)."""
    if not most:
        return images
    dy, dx = torch.randint(-most, most + 1, (2,)).tolist()
    return tuple(each.roll((dy, dx), dims=(2, 3)) for each in images)
