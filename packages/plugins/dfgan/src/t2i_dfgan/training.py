"""The objective of DF-GAN: hinge losses on matching and mismatched pairs, and a gradient penalty on real matches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from jaxtyping import Float
from torch import Tensor

from t2i.toolbox.game import Terms, Weights, discriminator_terms, game_phases, generator_terms, likeness_terms
from t2i.toolbox.nearest import nearest_noise
from t2i.toolbox.sentences import noisy_sentence
from t2i.toolbox.widths import fitted
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i_dfgan.config import DFGANObjectiveConfig
from t2i_dfgan.generator import DFGAN
from t2i_dfgan.model import Discriminator

PAPER = Weights(real=1, wrong_text=1 / 2, fake=1 / 2)  # eq. 1


@final
class DFGANObjective(Objective):
    """Two players, one phase; a phase of reconstruction before it if the settings ask for one."""

    needs_mismatched = True

    def __init__(self, generator: DFGAN, config: DFGANObjectiveConfig) -> None:
        self.generator: DFGAN = generator
        self._config, shape = config, generator.config
        widths = fitted(config.discriminator_widths[::-1], len(shape.widths))[::-1]  # it halves as often as G doubles
        self.discriminator = Discriminator(
            shape.text_dim,
            shape.patch,
            widths,
            config.joint_width,
            spectral=config.spectral_norm,
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
        """Eq. 1 and 2: {real, right text} against {real, wrong text} and {fake, right text}, and MA-GP."""
        assert batch.mismatched is not None  # needs_mismatched
        right, wrong = (self.generator.read(text.sentence) for text in (batch.text, batch.mismatched))
        fakes = self._drawn(batch)
        return discriminator_terms(
            self.discriminator, batch.images, fakes, right, wrong, self._config, PAPER, step=batch.step
        )

    def generator_loss(self, batch: Batch) -> Terms:
        """The adversarial term (eq. 1), and the terms that compare with the caption's own picture, if any."""
        fakes, right = self._drawn(batch), self.generator.read(batch.text.sentence)
        terms = generator_terms(self.discriminator, batch.images, fakes, right, self._config, PAPER)
        return terms | likeness_terms(fakes, batch.images, self._config)

    def reconstruction_loss(self, batch: Batch) -> Terms:
        """Only the terms that compare with the caption's own picture."""
        return likeness_terms(self._drawn(batch), batch.images, self._config)

    def _drawn(self, batch: Batch) -> Float[Tensor, "b 3 h w"]:
        """The fakes of this step, for both players."""

        def draw() -> Tensor:
            c, network = self._config, self.generator.network
            candidates = batch.noise.normal(c.nearest_of, self.generator.config.noise_dim)
            sentence = noisy_sentence(self.generator.read(batch.text.sentence), c.text_noise, batch.noise)
            return network(nearest_noise(lambda z: network(z, sentence), candidates, batch.images), sentence)

        return batch.once("drawn", draw)
