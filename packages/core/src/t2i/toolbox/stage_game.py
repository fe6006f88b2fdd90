"""The losses of StackGAN, StackGAN++ and AttnGAN: a picture at each of several sides, and a discriminator for each.

The papers sum the same terms, with different weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2i.text import TextEmbedding
from t2i.toolbox.conditioning import Condition, divergence
from t2i.toolbox.discriminator import StageDiscriminator
from t2i.toolbox.game import Terms, Weights, discriminator_terms, generator_terms, likeness_terms
from t2i.toolbox.game_config import StageGameConfig
from t2i.toolbox.nearest import nearest_noise
from t2i.training.objective import Batch

Draw = Callable[[Batch], tuple[list[Tensor], Condition]]
"""A picture for each discriminator, and the condition they were drawn from."""
Read = Callable[[TextEmbedding], Float[Tensor, "b c"]]
"""Captions as the discriminators' condition."""


class StageGame:
    """The losses of a generator, and of its discriminators by side in pixels."""

    def __init__(
        self,
        config: StageGameConfig,
        draw: Draw,
        read: Read,
        discriminators: Mapping[int, StageDiscriminator],
        weights: Weights,
    ) -> None:
        """
        Args:
            draw: called once a step in which both players are updated.
            read: called without gradients.
        """
        self._config, self._weights = config, weights
        self._draw, self._read, self._discriminators = draw, read, discriminators

    def discriminator_loss(self, batch: Batch) -> Terms:
        """{real, right text} against {real, wrong text} and {fake, right text}; and real pictures against fakes."""
        assert batch.mismatched is not None  # needs_mismatched
        fakes, _ = self.drawn(batch)
        right, wrong = self._told(batch.text), self._told(batch.mismatched)
        terms: Terms = {}
        for (side, discriminator), fake in zip(self._discriminators.items(), fakes, strict=True):
            real = self._resized(batch.images, side)
            found = discriminator_terms(
                discriminator, real, fake, right, wrong, self._config, self._weights, step=batch.step
            )
            terms |= self._named(side, found)
        return terms

    def generator_loss(self, batch: Batch) -> Terms:
        """The adversarial terms, the KL, and the terms that compare with the caption's own picture."""
        fakes, condition = self.drawn(batch)
        right = self._told(batch.text)
        terms: Terms = {}
        for (side, discriminator), fake in zip(self._discriminators.items(), fakes, strict=True):
            real = self._resized(batch.images, side)
            found = generator_terms(discriminator, real, fake, right, self._config, self._weights)
            terms |= self._named(side, found)
        return terms | self._alone(batch, fakes, condition)

    def reconstruction_loss(self, batch: Batch) -> Terms:
        """The KL and the terms that compare with the caption's own picture."""
        return self._alone(batch, *self.drawn(batch))

    def drawn(self, batch: Batch) -> tuple[list[Tensor], Condition]:
        """The fakes of this step and the condition they were drawn from, for both players."""
        return batch.once("drawn", lambda: self._draw(batch))

    @torch.no_grad()
    def _told(self, text: TextEmbedding) -> Float[Tensor, "b c"]:
        return self._read(text)

    def _alone(self, batch: Batch, fakes: list[Tensor], condition: Condition) -> Terms:
        terms: Terms = {}
        if self._config.kl:
            terms["kl"] = self._config.kl * divergence(condition.mu, condition.logvar)
        for side, fake in zip(self._discriminators, fakes, strict=True):
            terms |= self._named(side, likeness_terms(fake, self._resized(batch.images, side), self._config))
        return terms

    def _resized(self, images: Float[Tensor, "b 3 h w"], side: int) -> Float[Tensor, "b 3 s s"]:
        return resized(images, side, self._config.pyramid)

    def _named(self, side: int, terms: Terms) -> Terms:
        """The terms, with the side in each name if there are several sides."""
        return terms if len(self._discriminators) == 1 else {f"{name}_{side}": term for name, term in terms.items()}


def resized(images: Float[Tensor, "b 3 h w"], side: int, how: str) -> Float[Tensor, "b 3 s s"]:
    """The pictures reduced to `side` pixels: "area" takes the mean over each pixel, "bilinear" is like PIL's."""
    if images.shape[-1] == side:
        return images
    return F.interpolate(images, size=(side, side), mode=how, antialias=how == "bilinear")


def enlarged(picture: Float[Tensor, "b 3 h w"], side: int) -> Float[Tensor, "b 3 s s"]:
    """The picture at `side` pixels, bilinear."""
    return F.interpolate(picture, size=(side, side), mode="bilinear")


def drawn_noise(
    batch: Batch,
    config: StageGameConfig,
    dims: tuple[int, int],
    side: int,
    coarsest: Callable[[Float[Tensor, "b z"], Float[Tensor, "b c"]], Float[Tensor, "b 3 s s"]],
) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b c"]]:
    """Noise for z and for the condition: one draw, or the one of `config.nearest_of` that fits the picture best.

    Args:
        dims: widths of z and of the condition.
        side: of the coarsest picture, in pixels.
        coarsest: z and the condition's noise -> the picture of the first stage or scale, in [-1, 1].
    """
    z = batch.noise.normal(config.nearest_of, dims[0])
    candidates = torch.cat([z, batch.noise.normal(config.nearest_of, dims[1])], dim=2)

    def split(both: Float[Tensor, "b n"]) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b c"]]:
        return both[:, : dims[0]], both[:, dims[0] :]

    images = resized(batch.images, side, config.pyramid)
    return split(nearest_noise(lambda both: coarsest(*split(both)), candidates, images))
