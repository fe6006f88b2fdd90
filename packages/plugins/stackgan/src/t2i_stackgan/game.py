"""Generator against discriminators: the terms both papers sum, with other weights, for every picture drawn at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidConfigError
from t2i.toolbox.adversarial import fake_loss, feature_distance, fooling_loss, gradient_penalty, real_loss, rolled
from t2i.training.objective import Batch
from t2i_stackgan.config import StackGANObjectiveConfig, StackGANv2ObjectiveConfig
from t2i_stackgan.discriminator import Discriminator
from t2i_stackgan.model import Condition, ConditioningAugmentation

Terms = dict[str, Tensor]
Draw = Callable[[Batch, Float[Tensor, "b d"]], tuple[list[Tensor], Condition]]
"""A batch and sentences, which may be noisy ones of its own, to a picture per discriminator, and their condition."""


class Weights(NamedTuple):
    """How much each question put to a discriminator counts; the last three look at no text."""

    real: float
    wrong_text: float
    fake: float
    real_picture: float = 0.0
    fake_picture: float = 0.0
    fool_picture: float = 0.0


class Game:
    """The losses of what draws, and of the discriminators that judge its pictures, one per side in pixels."""

    def __init__(
        self,
        config: StackGANObjectiveConfig | StackGANv2ObjectiveConfig,
        draw: Draw,
        augmentation: ConditioningAugmentation,
        discriminators: Mapping[int, Discriminator],
        weights: Weights,
    ) -> None:
        """
        Args:
            augmentation: whose mu the discriminators read as the text.

        Raises:
            InvalidConfigError: nothing would train the generator at first.
        """
        if config.reconstruct_first and not config.reconstruction + config.squared_error:
            raise InvalidConfigError(
                "objective: reconstruct_first needs reconstruction or squared_error above 0, but both are 0."
            )
        self._config, self._weights = config, weights
        self._draw, self._augmentation, self._discriminators = draw, augmentation, discriminators

    def discriminator_loss(self, batch: Batch) -> Terms:
        """{real, right text} against {real, wrong text} and {fake, right text}; and real pictures against fakes."""
        with torch.no_grad():
            fakes, _ = self._draw(batch, batch.text.sentence)
            right, wrong = (self._augmentation.gaussian(text.sentence)[0] for text in (batch.text, batch.mismatched))
        terms: Terms = {}
        for (side, judge), fake in zip(self._discriminators.items(), fakes, strict=True):
            terms |= self._named(side, self._judge(judge, resized(batch.images, side), fake, right, wrong))
        return terms

    def generator_loss(self, batch: Batch) -> Terms:
        """What the discriminators say of the fakes, KL, and what compares with the caption's own picture."""
        fakes, condition = self._draw(batch, self._noisy(batch))
        with torch.no_grad():
            right, _ = self._augmentation.gaussian(batch.text.sentence)
        terms: Terms = {}
        for (side, judge), fake in zip(self._discriminators.items(), fakes, strict=True):
            terms |= self._named(side, self._fool(judge, resized(batch.images, side), fake, right))
        return terms | self._alone(batch, fakes, condition)

    def reconstruction_loss(self, batch: Batch) -> Terms:
        """KL and what compares with the caption's own picture."""
        return self._alone(batch, *self._draw(batch, self._noisy(batch)))

    def _judge(self, judge: Discriminator, real: Tensor, fake: Tensor, right: Tensor, wrong: Tensor) -> Terms:
        c, w = self._config, self._weights
        real = real.detach().requires_grad_(c.r1_gamma > 0)
        of_real, of_fake = (judge.features(seen) for seen in rolled(c.shift, real, fake))
        logits = judge.logits(of_real, right)
        terms = {
            "real": w.real * real_loss(logits, c.loss),
            "wrong_text": w.wrong_text * fake_loss(judge.logits(of_real, wrong), c.loss),
            "fake": w.fake * fake_loss(judge.logits(of_fake, right), c.loss),
        }
        if w.real_picture:
            terms["real_picture"] = w.real_picture * real_loss(judge.picture_logits(of_real), c.loss)
        if w.fake_picture:
            terms["fake_picture"] = w.fake_picture * fake_loss(judge.picture_logits(of_fake), c.loss)
        if c.r1_gamma:
            terms["r1"] = 0.5 * c.r1_gamma * gradient_penalty(logits, real)
        return terms

    def _fool(self, judge: Discriminator, real: Tensor, fake: Tensor, right: Tensor) -> Terms:
        c = self._config
        seen, wanted = rolled(c.shift, fake, real)
        features = judge.features(seen)
        terms = {"adversarial": c.adversarial * fooling_loss(judge.logits(features, right), c.loss)}
        if self._weights.fool_picture:
            fooling = fooling_loss(judge.picture_logits(features), c.loss)
            terms["adversarial_picture"] = c.adversarial * self._weights.fool_picture * fooling
        if c.feature_matching:
            with torch.no_grad():
                targets = judge.features(wanted)
            terms["feature_matching"] = c.feature_matching * feature_distance(features, targets)
        return terms

    def _alone(self, batch: Batch, fakes: list[Tensor], condition: Condition) -> Terms:
        c, terms = self._config, {}
        if c.kl:
            terms["kl"] = c.kl * divergence(condition.mu, condition.logvar)
        for side, fake in zip(self._discriminators, fakes, strict=True):
            real = resized(batch.images, side)
            if c.reconstruction:
                terms |= self._named(side, {"reconstruction": c.reconstruction * F.l1_loss(fake, real)})
            if c.squared_error:
                terms |= self._named(side, {"squared_error": c.squared_error * F.mse_loss(fake, real)})
        return terms

    def _noisy(self, batch: Batch) -> Float[Tensor, "b d"]:
        """The batch's sentences with `text_noise`."""
        sentence = batch.text.sentence
        if not self._config.text_noise:
            return sentence
        rms = sentence.square().mean(dim=1, keepdim=True).sqrt()
        return sentence + self._config.text_noise * rms * batch.noise.normal(sentence.shape[1])

    def _named(self, side: int, terms: Terms) -> Terms:
        """With the side in each name, where there are several."""
        return terms if len(self._discriminators) == 1 else {f"{name}_{side}": term for name, term in terms.items()}


def divergence(mu: Float[Tensor, "b c"], logvar: Float[Tensor, "b c"]) -> Float[Tensor, ""]:
    """KL(N(mu, sigma^2) || N(0, 1)), the mean over batch and dimensions (v1 eq. 2)."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).mean()


def resized(images: Float[Tensor, "b 3 h w"], side: int) -> Float[Tensor, "b 3 s s"]:
    """The pictures at `side` pixels, each pixel the mean of what it covers."""
    return images if images.shape[-1] == side else F.interpolate(images, size=(side, side), mode="area")
