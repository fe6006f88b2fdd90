"""The objective of the flow: predict the picture; the error is that of the velocity."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from t2i.images import from_uint8
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i_flow.config import FlowObjectiveConfig
from t2i_flow.generator import FlowTransformer

MEASURED, AT_ONCE = 1024, 64  # pictures whose latents are measured, and those encoded at once
LEAST_STD = 1e-6  # of a channel of latents that never changes


@final
class FlowObjective(Objective):
    """One player, one phase: x-prediction under the v-loss (Li and He 2025, sec. 4.1)."""

    def __init__(self, generator: FlowTransformer, config: FlowObjectiveConfig) -> None:
        self.generator: FlowTransformer = generator
        self._config = config

    @property
    def phases(self) -> Sequence[Phase]:
        player = Player("denoiser", {"denoiser": self.generator.denoiser}, self.loss, self._config.optimizer)
        start = self._measure if self.generator.autoencoder is not None else None
        return [Phase("flow", [player], start=start, validate=lambda batch: {"velocity": self.loss(batch)["velocity"]})]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The squared error of the velocity (z - x) / t; that of the prediction is only logged."""
        c, pictures = self._config, self.generator.encode(batch.images)
        images, text = pictures.repeat(c.noises, 1, 1, 1), batch.text.repeated(c.noises)
        t = (c.time_mean + c.time_std * each(batch.noise.normal(c.noises))).sigmoid()  # Esser et al. 2024, sec. 3.1
        reading = self.generator.denoiser.read(text, each(batch.noise.uniform(c.noises)) < c.condition_dropout)
        z = noised(images, each(batch.noise.normal(c.noises, *pictures.shape[1:])), t)
        error = (self.generator.denoiser(z, t, reading) - images).square().mean((1, 2, 3))
        return {
            "velocity": (error / t.clamp_min(c.least_noise).square()).mean(),
            "picture": error.detach().mean(),  # only logged
        }

    def _measure(self, pictures: UInt8[Tensor, "n 3 h w"]) -> None:
        """Set the mean and standard deviation of latents to those of some of the pictures."""
        generator, autoencoder = self.generator, self.generator.autoencoder
        assert autoencoder is not None  # only then is this called
        some = pictures[:: math.ceil(len(pictures) / MEASURED)]
        cut = (some.shape[-1] - generator.resolution) // 2
        whole = slice(cut, cut + generator.resolution)
        device = generator.latent_mean.device
        parts = [
            autoencoder.encode(from_uint8(part[..., whole, whole]).to(device)) for part in torch.split(some, AT_ONCE)
        ]
        latents = torch.cat(parts)
        generator.latent_mean.copy_(latents.mean((0, 2, 3))[:, None, None])
        generator.latent_std.copy_(latents.std((0, 2, 3)).clamp_min(LEAST_STD)[:, None, None])


def each(drawn: Float[Tensor, "b n ..."]) -> Float[Tensor, "n*b ..."]:
    """n draws for each of b pictures in one dimension: the first of every picture, then the second, ..."""
    return drawn.transpose(0, 1).flatten(0, 1)


def noised(
    images: Float[Tensor, "b c h w"], noise: Float[Tensor, "b c h w"], t: Float[Tensor, b]
) -> Float[Tensor, "b c h w"]:
    """The pictures, or latents, mixed with noise, whose share is t."""
    share = t[:, None, None, None]
    return (1 - share) * images + share * noise
