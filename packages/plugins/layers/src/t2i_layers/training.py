"""The objective of the layered VAE: the evidence lower bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch.nn.functional as F
from torch import Tensor

from t2i.training.objective import Batch, Objective, Phase, Player
from t2i_layers.compose import compose
from t2i_layers.config import LayersObjectiveConfig
from t2i_layers.generator import LayeredVAE


@final
class LayersObjective(Objective):
    """One player, one phase."""

    def __init__(self, generator: LayeredVAE, config: LayersObjectiveConfig) -> None:
        self.generator: LayeredVAE = generator
        self._config = config

    @property
    def phases(self) -> Sequence[Phase]:
        player = Player("vae", {"generator": self.generator}, self.loss, self._config.optimizer)
        return [Phase("elbo", [player], validate=self.held_out_terms)]

    def held_out_terms(self, batch: Batch) -> dict[str, Tensor]:
        """The loss without what is only logged."""
        return {name: term for name, term in self.loss(batch).items() if name != "kl_nats"}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        c, vae = self._config, self.generator
        per_value = c.beta / batch.images[0].numel()
        posterior, read = vae.encoder(batch.images, batch.text.sentence), vae.decoder.reader(batch.text)
        scene = vae.decoder.scene(read, posterior.at(batch.noise.normal(vae.config.latent_dim)))
        terms: dict[str, Tensor] = {}
        if c.draw == "one":
            scene = scene.only(batch.step % len(vae.config.copies))
        elif c.draw == "each":
            scene = scene.first_copies()
        sprites = vae.sprites(scene)
        if c.draw == "all":
            order = vae.fitting(scene, sprites, batch.images)
            terms["order"] = per_value * F.nll_loss(scene.orders, order)
            scene = scene.in_order(order)
        again = compose(scene.background, sprites, scene.places, vae.resolution)
        nats = posterior.divergence(vae.decoder.planner.expected(read)).mean()
        terms |= {"kl": per_value * nats, "kl_nats": nats.detach()}
        if c.absolute_error:
            terms["absolute_error"] = c.absolute_error * F.l1_loss(again, batch.images)
        if c.squared_error:
            terms["squared_error"] = c.squared_error * F.mse_loss(again, batch.images)
        return terms
