"""The objective of GAN-INT-CLS: the discriminator also rejects mismatched texts (CLS), and the generator is also
trained on interpolated texts (INT)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidConfigError
from t2i.toolbox.adversarial import feature_distance, fooling_loss
from t2i.toolbox.diff_augment import for_discriminator
from t2i.toolbox.game import Terms, Weights, discriminator_terms, game_phases, likeness_terms
from t2i.toolbox.nearest import nearest_noise
from t2i.toolbox.sentences import noisy_sentence
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i_cgan.config import CGANObjectiveConfig
from t2i_cgan.generator import ConditionalGAN
from t2i_cgan.model import Discriminator
from t2i_cgan.paper import PaperDiscriminator


@final
class CGANObjective(Objective):
    """Two players, one phase."""

    needs_mismatched = True

    def __init__(self, generator: ConditionalGAN, config: CGANObjectiveConfig) -> None:
        """
        Raises:
            InvalidConfigError: the discriminator does not fit the resolution.
        """
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
                    f"objective: {len(config.discriminator_widths)} discriminator_widths are too many for "
                    f"{shape.resolution} px, since each halves the side. Give fewer."
                )
            self.discriminator = Discriminator(
                shape.resolution, shape.text_dim, config.discriminator_widths, spectral=config.spectral_norm
            )

    @property
    def phases(self) -> Sequence[Phase]:
        c = self._config
        return game_phases(
            Player("discriminator", {"discriminator": self.discriminator}, self.discriminator_loss, c.discriminator),
            Player("generator", {"generator": self.generator}, self.generator_loss, c.generator),
            self.reconstruction_loss,
            c,
        )

    def discriminator_loss(self, batch: Batch) -> Terms:
        """Alg. 1 of the paper: {real, right text} against {real, wrong text} and {fake, right text}."""
        assert batch.mismatched is not None  # needs_mismatched
        c, right = self._config, batch.text.sentence
        fakes, _ = self._drawn(batch)
        return discriminator_terms(
            self.discriminator,
            batch.images,
            fakes[: len(right)],
            right,
            batch.mismatched.sentence,
            c,
            Weights(1, c.wrong_text, c.fake),
            step=batch.step,
        )

    def generator_loss(self, batch: Batch) -> Terms:
        """The adversarial term, the INT term, and the terms that compare with the caption's own picture."""
        c, b = self._config, len(batch.text)
        fakes, texts = self._drawn(batch)
        seen, wanted = for_discriminator(c, fakes, batch.images)
        features = self.discriminator.features(seen)
        logits = self.discriminator.logits(features, texts)
        terms = {"adversarial": c.adversarial * fooling_loss(logits[:b], c.loss)}
        if c.feature_matching:
            with torch.no_grad():
                targets = self.discriminator.features(wanted)
            terms["feature_matching"] = c.feature_matching * feature_distance([f[:b] for f in features], targets)
        if c.interpolation:
            terms["interpolation"] = c.interpolation * fooling_loss(logits[b:], c.loss)
        return terms | likeness_terms(fakes[:b], batch.images, c)

    def reconstruction_loss(self, batch: Batch) -> Terms:
        """Only the terms that compare with the caption's own picture."""
        fakes, _ = self._drawn(batch)
        return likeness_terms(fakes[: len(batch.text)], batch.images, self._config)

    def _drawn(self, batch: Batch) -> tuple[Float[Tensor, "n 3 h w"], Float[Tensor, "n d"]]:
        """The fakes of this step, for both players, and the texts they answer: the captions, then those between."""

        def draw() -> tuple[Tensor, Tensor]:
            c, sentences, between = self._config, batch.text.sentence, self._between(batch)
            candidates = batch.noise.normal(c.nearest_of, self.generator.config.noise_dim)
            noisy = noisy_sentence(sentences, c.text_noise, batch.noise)
            z = nearest_noise(lambda z: self.generator(noisy, z), candidates, batch.images)
            z = torch.cat([z, self._z(batch)[: len(between)]])
            return self.generator(torch.cat([noisy, between]), z), torch.cat([sentences, between])

        return batch.once("drawn", draw)

    def _between(self, batch: Batch) -> Float[Tensor, "h d"]:
        """Texts half-way between the first and the second half of the batch (INT, eq. 5 at beta = 1/2), or none."""
        sentence = batch.text.sentence
        half = max(1, len(sentence) // 2) if self._config.interpolation else 0
        return (sentence[:half] + sentence[len(sentence) - half :]) / 2

    def _z(self, batch: Batch) -> Float[Tensor, "b z"]:
        return batch.noise.normal(self.generator.config.noise_dim)
