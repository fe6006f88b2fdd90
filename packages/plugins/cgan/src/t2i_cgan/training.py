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
        real, fake = (self.discriminator.features(seen) for seen in self._shifted(images, fakes))
        right = self.discriminator.logits(real, batch.text.sentence)
        terms = {
            "real": self._real(right),
            "wrong_text": c.wrong_text * self._fake(self.discriminator.logits(real, batch.mismatched.sentence)),
            "fake": c.fake * self._fake(self.discriminator.logits(fake, batch.text.sentence)),
        }
        if c.r1_gamma:
            terms["r1"] = 0.5 * c.r1_gamma * gradient_penalty(right, images)
        return terms

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The adversarial term, INT on half-way texts, and what compares with the caption's own picture."""
        c = self._config
        sentence, z = batch.text.sentence, self._z(batch)
        fakes = self.generator(self._noisy(sentence, batch), z)
        seen, wanted = self._shifted(fakes, batch.images)
        features = self.discriminator.features(seen)
        terms = {"adversarial": c.adversarial * self._fool(self.discriminator.logits(features, sentence))}
        if c.feature_matching:
            with torch.no_grad():
                targets = self.discriminator.features(wanted)
            distances = [F.l1_loss(f, t) / t.abs().mean() for f, t in zip(features, targets, strict=True)]
            terms["feature_matching"] = c.feature_matching * torch.stack(distances).mean()
        if c.interpolation:
            half = max(1, len(sentence) // 2)
            between = (sentence[:half] + sentence[-half:]) / 2
            unseen = self.discriminator.features(self.generator(between, z[:half]))
            terms["interpolation"] = c.interpolation * self._fool(self.discriminator.logits(unseen, between))
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

    def _shifted(self, *images: Tensor) -> tuple[Tensor, ...]:
        """All of `images` rolled by one random offset."""
        if not self._config.shift:
            return images
        dy, dx = torch.randint(-self._config.shift, self._config.shift + 1, (2,)).tolist()
        return tuple(each.roll((dy, dx), dims=(2, 3)) for each in images)

    def _z(self, batch: Batch) -> Float[Tensor, "b z"]:
        return batch.noise.normal(self.generator.config.noise_dim)

    def _noisy(self, sentence: Float[Tensor, "b d"], batch: Batch) -> Float[Tensor, "b d"]:
        if not self._config.text_noise:
            return sentence
        rms = sentence.square().mean(dim=1, keepdim=True).sqrt()
        return sentence + self._config.text_noise * rms * batch.noise.normal(sentence.shape[1])

    def _real(self, logits: Tensor) -> Tensor:
        return F.softplus(-logits).mean() if self._config.loss == "bce" else F.relu(1 - logits).mean()

    def _fake(self, logits: Tensor) -> Tensor:
        return F.softplus(logits).mean() if self._config.loss == "bce" else F.relu(1 + logits).mean()

    def _fool(self, logits: Tensor) -> Tensor:
        """Non-saturating for bce (Goodfellow et al. 2014, sec. 3)."""
        return F.softplus(-logits).mean() if self._config.loss == "bce" else -logits.mean()


def gradient_penalty(logits: Float[Tensor, b], images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, ""]:
    """R1: the mean squared norm of d logit / d image on real pictures (Mescheder et al. 2018, eq. 9)."""
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()
