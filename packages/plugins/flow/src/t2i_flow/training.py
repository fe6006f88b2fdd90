"""The objective of the flow: predict the picture; the error is that of the velocity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from jaxtyping import Float
from torch import Tensor

from t2i.training.objective import Batch, Objective, Phase, Player
from t2i_flow.config import FlowObjectiveConfig
from t2i_flow.generator import FlowTransformer


@final
class FlowObjective(Objective):
    """One player, one phase: x-prediction under the v-loss (Li and He 2025, sec. 4.1)."""

    def __init__(self, generator: FlowTransformer, config: FlowObjectiveConfig) -> None:
        self.generator: FlowTransformer = generator
        self._config = config

    @property
    def phases(self) -> Sequence[Phase]:
        player = Player("denoiser", {"denoiser": self.generator.denoiser}, self.loss, self._config.optimizer)
        return [Phase("flow", [player], validate=lambda batch: {"velocity": self.loss(batch)["velocity"]})]

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """The squared error of the velocity (z - x) / t; that of the prediction is only logged."""
        c, images = self._config, batch.images
        t = (c.time_mean + c.time_std * batch.noise.normal()).sigmoid()  # Esser et al. 2024, sec. 3.1
        reading = self.generator.denoiser.read(batch.text, batch.noise.uniform() < c.condition_dropout)
        z = noised(images, batch.noise.normal(*images.shape[1:]), t)
        error = (self.generator.denoiser(z, t, reading) - images).square().mean((1, 2, 3))
        return {
            "velocity": (error / t.clamp_min(c.least_noise).square()).mean(),
            "picture": error.detach().mean(),  # only logged
        }


def noised(
    images: Float[Tensor, "b 3 h w"], noise: Float[Tensor, "b 3 h w"], t: Float[Tensor, b]
) -> Float[Tensor, "b 3 h w"]:
    """The pictures mixed with noise, whose share is t."""
    share = t[:, None, None, None]
    return (1 - share) * images + share * noise
