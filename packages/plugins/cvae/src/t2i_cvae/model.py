"""Encoder and decoder: residual blocks whose norms the text scales and shifts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2i.toolbox.modulation import modulated
from t2i_cvae.config import GROUPS, CVAEConfig

BASE = 4  # pixels per side at the smallest resolution
FEATURES = 64  # of the picture, at each place of its last map


class PictureReader(nn.Module):
    """What a posterior is computed from: features of the picture, in residual blocks that the sentence modulates."""

    def __init__(self, text_dim: int, text_features: int, patch: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.text = _text(text_dim, text_features)
        self.stem = nn.Sequential(nn.PixelUnshuffle(patch), nn.Conv2d(3 * patch**2, widths[0], 3, padding=1))
        self.blocks = nn.ModuleList(Block(*pair, text_features, up=False) for pair in pairwise(widths))
        self.narrow = nn.Conv2d(widths[-1], FEATURES, 1)

    def features(self, images: Float[Tensor, "b 3 h w"], sentence: Float[Tensor, "b d"]) -> Float[Tensor, "b n"]:
        """FEATURES numbers for each place of the last map."""
        text = self.text(_rms_normalised(sentence))
        x = self.stem(images)
        for block in self.blocks:
            x = block(x, text)
        return F.leaky_relu(self.narrow(x), 0.2).flatten(1)


class Encoder(PictureReader):
    """Maps picture and sentence to the posterior's mean and log variance."""

    def __init__(self, config: CVAEConfig) -> None:
        super().__init__(config.text_dim, config.text_features, config.patch, config.encoder_widths)
        self.posterior = nn.Linear(FEATURES * BASE**2, 2 * config.latent_dim)

    def forward(
        self, images: Float[Tensor, "b 3 h w"], sentence: Float[Tensor, "b d"]
    ) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b z"]]:
        return mean_and_log_variance(self.posterior(self.features(images, sentence)))


def mean_and_log_variance(numbers: Float[Tensor, "b n"]) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b z"]]:
    """The two of a Gaussian, from what a network returns; a variance beyond e^12 would let the KL dominate the loss."""
    mean, log_variance = numbers.float().chunk(2, dim=1)
    return mean, log_variance.clamp(-12, 12)


class Decoder(nn.Module):
    """Maps sentence and z to a picture: the features at 4x4 are computed from both, and both modulate every block."""

    def __init__(self, config: CVAEConfig) -> None:
        super().__init__()
        widths, condition = config.widths, config.condition_dim
        self.text = _text(config.text_dim, config.text_features)
        self.condition = nn.Sequential(
            nn.Linear(config.text_features + config.latent_dim, config.hidden_dim),
            nn.LeakyReLU(0.2),
            nn.Linear(config.hidden_dim, condition),
            nn.LeakyReLU(0.2),
        )
        self.start = nn.Linear(condition, widths[0] * BASE**2)
        self.blocks = nn.ModuleList(Block(inputs, outputs, condition, up=True) for inputs, outputs in pairwise(widths))
        self.norm = nn.GroupNorm(GROUPS, widths[-1])
        self.to_rgb = nn.Sequential(
            nn.Conv2d(widths[-1], 3 * config.patch**2, 3, padding=1), nn.PixelShuffle(config.patch), nn.Tanh()
        )

    def forward(self, z: Float[Tensor, "b z"], sentence: Float[Tensor, "b d"]) -> Float[Tensor, "b 3 h w"]:
        condition = self.condition(torch.cat([self.text(_rms_normalised(sentence)), z], dim=1))
        x = self.start(condition).unflatten(1, (-1, BASE, BASE)).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x, condition)
        return self.to_rgb(F.leaky_relu(self.norm(x), 0.2))


class Block(nn.Module):
    """Residual block that doubles or halves the side; the condition scales and shifts its norms (FiLM, Perez 2018)."""

    def __init__(self, inputs: int, outputs: int, condition: int, *, up: bool) -> None:
        super().__init__()
        self.film1, self.film2 = nn.Linear(condition, 2 * inputs), nn.Linear(condition, 2 * outputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1)
        self.shrink = nn.Identity() if up else nn.AvgPool2d(2)  # placed where they make the convolutions cheaper
        self.grow = nn.Upsample(scale_factor=2) if up else nn.Identity()

    def forward(self, x: Float[Tensor, "b c h w"], condition: Float[Tensor, "b d"]) -> Float[Tensor, "b c2 h2 w2"]:
        h = self.conv1(self.shrink(modulated(x, self.film1(condition), GROUPS)))
        h = self.conv2(modulated(self.grow(h), self.film2(condition), GROUPS))
        return self.grow(self.skip(self.shrink(x))) + h


def slerp(one: Float[Tensor, z], other: Float[Tensor, z], weights: Float[Tensor, f]) -> Float[Tensor, "f z"]:
    """Points on the arc between two Gaussian vectors; on a straight line they would be too short (White 2016, 2.1)."""
    angle = F.cosine_similarity(one, other, dim=0).clamp(-1, 1).acos()
    w = weights[:, None]
    if angle.sin() < 1e-4:  # parallel: the arc is the line
        return torch.lerp(one, other, w)
    return (((1 - w) * angle).sin() * one + (w * angle).sin() * other) / angle.sin()


def _text(text_dim: int, features: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(text_dim, features), nn.LeakyReLU(0.2))


def _rms_normalised(sentence: Float[Tensor, "b d"]) -> Float[Tensor, "b d"]:
    """Each sentence scaled to a root mean square of 1."""
    return F.rms_norm(sentence, sentence.shape[1:])
