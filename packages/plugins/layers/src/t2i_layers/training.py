"""The objective of the layered VAE: the evidence lower bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2i.text import TextEmbedding
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i_layers.compose import compose, overlap
from t2i_layers.config import LayersObjectiveConfig
from t2i_layers.generator import LayeredVAE
from t2i_layers.model import Scene

ALONE = 2 / 3  # of "one": afterwards, each caption stands in a list with others
TRIES = 8  # of random places, for each picture
HELD = 0.5  # of "each": until then reader and drawings stay as they are; at wrong places, they would become mixtures


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
        c, vae, text = self._config, self.generator, batch.text
        posterior = vae.encoder(batch.images, text.sentence)
        thing = batch.step % len(vae.config.copies)
        if c.draw == "one" and batch.progress >= ALONE:
            text = among_others(text, thing, len(vae.config.copies))
        read = vae.decoder.read(text)
        held = c.draw == "each" and batch.progress < HELD
        if held:
            read = torch.cat([read[:, :-1].detach(), read[:, -1:]], 1)  # relations are learned
        z = posterior.at(batch.noise.normal(vae.config.latent_dim))
        scene = vae.decoder.scene(read, z)
        per_value = c.beta / batch.images[0].numel()
        terms: dict[str, Tensor] = {}
        if c.draw == "one":
            scene = scene.only(thing)
        elif c.draw == "each":
            scene = scene.first_copies()
        else:
            scene = scene.dealt()
        sprites = vae.sprites(scene)
        if held:
            sprites = sprites.detach()
        if c.draw != "one":
            order = vae.fitting(scene, sprites, batch.images)
            terms["order"] = c.order * F.nll_loss(scene.orders, order)
            scene = scene.in_order(order)
            scene, away = self._searched(scene, sprites, batch)
            terms["search"] = c.search * away
        if c.draw == "all":
            terms["overlap"] = c.overlap * overlap(scene.places).mean()
        again = compose(scene.background, sprites, scene.places, vae.resolution)
        nats = -(posterior.entropy + vae.decoder.planner.expected(read).log_density(z)).mean()
        terms |= {"kl": per_value * nats, "kl_nats": nats.detach()}
        if c.absolute_error:
            terms["absolute_error"] = c.absolute_error * F.l1_loss(again, batch.images)
        if c.squared_error:
            terms["squared_error"] = c.squared_error * F.mse_loss(again, batch.images)
        return terms

    def _searched(
        self, scene: Scene, sprites: Float[Tensor, "b t 4 s s"], batch: Batch
    ) -> tuple[Scene, Float[Tensor, ""]]:
        """The scene with better places where some are found, and the mean squared distance of the planned ones to them.
        If a sprite does not overlap what it should draw, no gradient moves it there; gradients only move it away."""
        found = self.generator.found(scene, sprites, batch.images, batch.noise.uniform(TRIES, 4))
        rows, away = torch.arange(len(batch.images), device=batch.images.device), []
        moved = {}
        for name in ("x", "y", "side"):
            numbers, better = getattr(scene.places, name), getattr(found, name)
            planned = numbers[rows, found.placement]
            away.append((planned - better).square() * found.better)
            moved[name] = numbers.index_put((rows, found.placement), torch.where(found.better, better, planned))
        return scene._replace(places=scene.places._replace(**moved)), torch.stack(away).sum(0).mean()


def among_others(text: TextEmbedding, place: int, places: int) -> TextEmbedding:
    """Each caption in a list with those of the next pictures, at a place in it, as in "a cat, a dog".

    Args:
        place: of the picture's own caption, from 0.
        places: how many captions the list has.
    """
    parts = [text[(torch.arange(len(text)) + number - place) % len(text)] for number in range(places)]
    mask, words = (torch.cat(tensors, 1) for tensors in ([p.mask for p in parts], [p.words for p in parts]))
    closed = mask.byte().argsort(stable=True, dim=1, descending=True)  # words first, then what is masked
    words = words.gather(1, closed[..., None].expand_as(words))
    return TextEmbedding(torch.stack([p.sentence for p in parts]).mean(0), words, mask.gather(1, closed))
