"""The objective of the conditional VAE: the evidence lower bound, with free bits and a warm-up of the KL term."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2i.errors import PluginError
from t2i.toolbox.sentences import noisy_sentence
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i_cvae.config import CVAEObjectiveConfig
from t2i_cvae.generator import ConditionalVAE


@final
class CVAEObjective(Objective):
    """One player, one phase."""

    def __init__(self, generator: ConditionalVAE, config: CVAEObjectiveConfig) -> None:
        """
        Raises:
            PluginError: the perceptual distance is used, but t2i-metrics or its backbone cannot be loaded; says why.
        """
        self.generator: ConditionalVAE = generator
        self._config = config
        self._perceptual = None
        if config.perceptual:
            try:
                from t2i_metrics.perceptual import PerceptualDistance
            except ImportError as error:
                raise PluginError(
                    f"objective.perceptual needs t2i-metrics, which cannot be imported ({error}). Install it: "
                    f"pip install 't2i-cvae[perceptual]'"
                ) from None
            self._perceptual = PerceptualDistance(config.backbone, pretrained=config.backbone_pretrained)
            self.keeps = {"perceptual": self._perceptual}

    @property
    def phases(self) -> Sequence[Phase]:
        player = Player("vae", {"generator": self.generator}, self.loss, self._config.optimizer)
        return [Phase("elbo", [player], validate=self.held_out_terms)]

    def held_out_terms(self, batch: Batch) -> dict[str, Tensor]:
        """The loss without what is only logged."""
        return {name: term for name, term in self.loss(batch).items() if name != "kl_nats"}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Sohn et al. 2015, eq. 4 with the prior N(0, 1), divided by the number of pixel values."""
        c, vae = self._config, self.generator
        sentence = noisy_sentence(vae.read(batch.text), c.text_noise, batch.noise)
        mean, log_variance = vae.encoder(batch.images, sentence)
        z = mean + (0.5 * log_variance).exp() * batch.noise.normal(vae.config.latent_dim)
        again = vae.decoder(z, sentence)
        nats = kl_per_latent(mean, log_variance)
        warmth = min(1.0, batch.progress / c.kl_warmup) if c.kl_warmup else 1.0
        terms = {
            "kl": c.beta * warmth * free_bits(nats, c.free_bits) / batch.images[0].numel(),
            "kl_nats": nats.sum(1).mean().detach(),  # only logged
        }
        if c.absolute_error:
            terms["absolute_error"] = c.absolute_error * F.l1_loss(again, batch.images)
        if c.squared_error:
            terms["squared_error"] = c.squared_error * F.mse_loss(again, batch.images)
        if self._perceptual is not None:
            terms["perceptual"] = c.perceptual * self._perceptual(again, batch.images)
        return terms


def kl_per_latent(mean: Float[Tensor, "b z"], log_variance: Float[Tensor, "b z"]) -> Float[Tensor, "b z"]:
    """KL of N(mean, variance) from N(0, 1), in nats (Kingma and Welling 2014, app. B)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance)


def free_bits(nats: Float[Tensor, "b z"], floor: float) -> Float[Tensor, ""]:
    """The KL, where each latent's mean over the batch counts as at least `floor` (Kingma et al. 2016, eq. 15)."""
    return nats.mean(0).clamp_min(floor).sum()
