"""The losses of generator and discriminators. Both papers sum the same terms, with different weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2i.toolbox.conditioning import Condition, ConditioningAugmentation, divergence
from t2i.toolbox.discriminator import StageDiscriminator
from t2i.toolbox.game import Terms, Weights, discriminator_terms, generator_terms, likeness_terms
from t2i.toolbox.sentences import noisy_sentence
from t2i.training.objective import Batch
from t2i_stackgan.config import StackGANObjectiveConfig, StackGANv2ObjectiveConfig

Draw = Callable[[Batch, Float[Tensor, "b d"]], tuple[list[Tensor], Condition]]
"""(batch, its sentences, which may have noise) -> a picture for each discriminator, and the condition."""


class Game:
    """The losses of a generator, and of its discriminators by side in pixels."""

    def __init__(
        self,
        config: StackGANObjectiveConfig | StackGANv2ObjectiveConfig,
        draw: Draw,
        augmentation: ConditioningAugmentation,
        discriminators: Mapping[int, StageDiscriminator],
        weights: Weights,
    ) -> None:
        """
        Args:
            augmentation: computes mu, which the discriminators read as the text.
        """
        self._config, self._weights = config, weights
        self._draw, self._augmentation, self._discriminators = draw, augmentation, discriminators

    def discriminator_loss(self, batch: Batch) -> Terms:
        """{real, right text} against {real, wrong text} and {fake, right text}; and real pictures against fakes."""
        assert batch.mismatched is not None  # needs_mismatched
        fakes, _ = self._drawn(batch)
        with torch.no_grad():
            right, wrong = (self._augmentation.gaussian(text.sentence)[0] for text in (batch.text, batch.mismatched))
        terms: Terms = {}
        for (side, discriminator), fake in zip(self._discriminators.items(), fakes, strict=True):
            real = self._resized(batch.images, side)
            found = discriminator_terms(discriminator, real, fake, right, wrong, self._config, self._weights)
            terms |= self._named(side, found)
        return terms

    def generator_loss(self, batch: Batch) -> Terms:
        """The adversarial terms, the KL, and the terms that compare with the caption's own picture."""
        fakes, condition = self._drawn(batch)
        with torch.no_grad():
            right, _ = self._augmentation.gaussian(batch.text.sentence)
        terms: Terms = {}
        for (side, discriminator), fake in zip(self._discriminators.items(), fakes, strict=True):
            real = self._resized(batch.images, side)
            found = generator_terms(discriminator, real, fake, right, self._config, self._weights)
            terms |= self._named(side, found)
        return terms | self._alone(batch, fakes, condition)

    def reconstruction_loss(self, batch: Batch) -> Terms:
        """The KL and the terms that compare with the caption's own picture."""
        return self._alone(batch, *self._drawn(batch))

    def _drawn(self, batch: Batch) -> tuple[list[Tensor], Condition]:
        """The fakes of this step and the condition they were drawn from, for both players."""

        def draw() -> tuple[list[Tensor], Condition]:
            return self._draw(batch, noisy_sentence(batch.text.sentence, self._config.text_noise, batch.noise))

        return batch.once("drawn", draw)

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
