"""What GAN-INT-CLS optimises: a discriminator that also rejects wrong texts (CLS), and a generator that is also
asked for texts nobody wrote (INT)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidConfigError
from t2i.toolbox.adversarial import fake_loss, feature_distance, fooling_loss, gradient_penalty, real_loss, rolled
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i_cgan.config import CGANObjectiveConfig
from t2i_cgan.generator import ConditionalGAN
from t2i_cgan.model import Discriminator
from t2i_cgan.paper import PaperDiscriminator


@final
class CGANObjective(Objective):
    """Two players, one phase."""

    def __init__(self, generator: ConditionalGAN, config: CGANObjectiveConfig) -> None:
        """
        Raises:
            InvalidConfigError: nothing would train the generator at first, or D does not fit the resolution.
        """
        if config.reconstruct_first and not config.reconstruction + config.squared_error:
            raise InvalidConfigError(
                "objective: reconstruct_first needs reconstruction or squared_error above 0, but both are 0."
            )
        self.generator: ConditionalGAN = generator
        self._config = config
        shape = generator.config
        if shape.architecture == "paper":
            self.discriminator: Discriminator | PaperDiscriminator = PaperDiscriminator(
                shape.text_dim, shape.condition_dim, config.ndf
            )
        else:
            if shape.resolution < 2 ** (len(config.discriminator_widths) + 1):
                raise InvalidConfigError(
                    f"objective: {len(config.discriminator_widths)} discriminator_widths halve too often for "
                    f"{shape.resolution} pixels. Give fewer."
                )
            self.discriminator = Discriminator(
                shape.resolution, shape.text_dim, config.discriminator_widths, spectral=config.spectral_norm
            )

    @property
    def phases(self) -> Sequence[Phase]:
        first = self._config.reconstruct_first
        gan = Phase(
            "gan",
            [
                Player(
                    "discriminator",
                    {"discriminator": self.discriminator},
                    self.discriminator_loss,
                    self._config.discriminator,
                ),
                Player("generator", {"generator": self.generator}, self.generator_loss, self._config.generator),
            ],
            share=1 - first,
        )
        if not first:
            return [gan]
        alone = Player("generator", {"generator": self.generator}, self.reconstruction_loss, self._config.generator)
        return [Phase("reconstruct", [alone], share=first), gan]

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Alg. 1 of the paper: {real, right text} against {real, wrong text} and {fake, right text}."""
        c = self._config
        images = batch.images.requires_grad_(c.r1_gamma > 0)
        with torch.no_grad():
            fakes = self.generator(batch.text.sentence, self._z(batch))
        real, fake = (self.discriminator.features(seen) for seen in rolled(c.shift, images, fakes))
        right = self.discriminator.logits(real, batch.text.sentence)
        terms = {
            "real": real_loss(right, c.loss),
            "wrong_text": c.wrong_text * fake_loss(self.discriminator.logits(real, batch.mismatched.sentence), c.loss),
            "fake": c.fake * fake_loss(self.discriminator.logits(fake, batch.text.sentence), c.loss),
        }
        if c.r1_gamma:
            terms["r1"] = 0.5 * c.r1_gamma * gradient_penalty(right, images)
        return terms

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The adversarial term, INT on half-way texts, and what compares with the caption's own picture."""
        c = self._config
        sentence, z = batch.text.sentence, self._z(batch)
        fakes = self.generator(self._noisy(sentence, batch), z)
        seen, wanted = rolled(c.shift, fakes, batch.images)
        features = self.discriminator.features(seen)
        terms = {"adversarial": c.adversarial * fooling_loss(self.discriminator.logits(features, sentence), c.loss)}
        if c.feature_matching:
            with torch.no_grad():
                targets = self.discriminator.features(wanted)
            terms["feature_matching"] = c.feature_matching * feature_distance(features, targets)
        if c.interpolation:
            half = max(1, len(sentence) // 2)
            between = (sentence[:half] + sentence[-half:]) / 2
            unseen = self.discriminator.features(self.generator(between, z[:half]))
            terms["interpolation"] = c.interpolation * fooling_loss(self.discriminator.logits(unseen, between), c.loss)
        return terms | self._distances(fakes, batch.images)

    def reconstruction_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Only what compares with the caption's own picture."""
        fakes = self.generator(self._noisy(batch.text.sentence, batch), self._z(batch))
        return self._distances(fakes, batch.images)

    def _distances(self, fakes: Tensor, images: Tensor) -> dict[str, Tensor]:
        c = self._config
        terms = {}
        if c.reconstruction:
            terms["reconstruction"] = c.reconstruction * F.l1_loss(fakes, images)
        if c.squared_error:
            terms["squared_error"] = c.squared_error * F.mse_loss(fakes, images)
        return terms

    def _z(self, batch: Batch) -> Float[Tensor, "b z"]:
        return batch.noise.normal(self.generator.config.noise_dim)

    def _noisy(self, sentence: Float[Tensor, "b d"], batch: Batch) -> Float[Tensor, "b d"]:
        if not self._config.text_noise:
            return sentence
        rms = sentence.square().mean(dim=1, keepdim=True).sqrt()
        return sentence + self._config.text_noise * rms * batch.noise.normal(sentence.shape[1])
