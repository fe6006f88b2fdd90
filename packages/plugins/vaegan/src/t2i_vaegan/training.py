"""The objective of VAE-GAN and CVAE-GAN: one forward pass, whose gradients each player takes from its own terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from t2i.errors import InvalidConfigError
from t2i.toolbox.adversarial import fake_loss, fooling_loss, real_loss
from t2i.toolbox.diff_augment import augmented
from t2i.toolbox.discriminator import SIDE
from t2i.toolbox.game import Terms
from t2i.toolbox.sentences import noisy_sentence
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i_cvae.training import free_bits, kl_per_latent
from t2i_vaegan.config import VAEGANObjectiveConfig
from t2i_vaegan.generator import VAEGAN
from t2i_vaegan.model import Reader, TextDiscriminator


@dataclass(frozen=True)
class Pass:
    """Everything that one step computes, for all players.

    Attributes:
        mean, log_variance: the posterior's, [b, z].
        again: the reconstructions.
        drawn: pictures of the same captions from the prior.
        of_real, of_again, of_drawn: D's features of the three, finest first.
    """

    mean: Float[Tensor, "b z"]
    log_variance: Float[Tensor, "b z"]
    again: Float[Tensor, "b 3 h w"]
    drawn: Float[Tensor, "b 3 h w"]
    of_real: list[Tensor]
    of_again: list[Tensor]
    of_drawn: list[Tensor]


@final
class VAEGANObjective(Objective):
    """Larsen et al. 2016, alg. 1, conditioned on text: the encoder, the decoder and the discriminator learn together;
    with `reader` or `reader_similarity` above 0, a fourth network does too, which Bao et al. 2017 added."""

    needs_mismatched = True

    def __init__(self, generator: VAEGAN, config: VAEGANObjectiveConfig) -> None:
        """
        Raises:
            InvalidConfigError: the discriminator does not fit the resolution, or has too few layers.
        """
        self.generator: VAEGAN = generator
        self._config = c = config
        shape = generator.config
        halvings = (shape.resolution // SIDE).bit_length() - 1
        if shape.resolution != SIDE * 2**halvings or halvings < 2:
            raise InvalidConfigError(
                f"vaegan: the discriminator needs a resolution of {SIDE} times a power of two, 16 or more, "
                f"got {shape.resolution}. Choose 16, 32, 64, 128 or 256."
            )
        self.discriminator = TextDiscriminator(
            shape.resolution, shape.text_dim, c.text_features, c.width, spectral=c.spectral_norm
        )
        layers = len(self.discriminator.pictures.stages)
        if c.feature_layer >= layers:
            raise InvalidConfigError(
                f"vaegan: feature_layer must be below {layers}, the number of convolutions at {shape.resolution} px, "
                f"got {c.feature_layer}."
            )
        reads = c.reader or c.reader_similarity
        self.reader = Reader(shape.resolution, shape.text_dim, c.text_features, c.width) if reads else None

    @property
    def phases(self) -> Sequence[Phase]:
        c, vae = self._config, self.generator
        drawing: dict[str, nn.Module] = {"decoder": vae.decoder} | ({} if vae.words is None else {"words": vae.words})
        players = [
            Player("encoder", {"encoder": vae.encoder}, self.encoder_loss, c.encoder),
            Player("decoder", drawing, self.decoder_loss, c.decoder),
            Player("discriminator", {"discriminator": self.discriminator}, self.discriminator_loss, c.discriminator),
        ]
        if self.reader is not None:
            players.append(Player("reader", {"reader": self.reader}, self.reader_loss, c.discriminator))
        return [Phase("vaegan", players, sharing="together", validate=self.held_out_terms)]

    def held_out_terms(self, batch: Batch) -> Terms:
        """The encoder's loss without what is only logged."""
        return {name: term for name, term in self.encoder_loss(batch).items() if name != "kl_nats"}

    def encoder_loss(self, batch: Batch) -> Terms:
        """KL and similarity; the adversarial terms do not reach the encoder (alg. 1)."""
        c, seen = self._config, self._pass(batch)
        nats = kl_per_latent(seen.mean, seen.log_variance)
        return {
            "kl": c.beta * free_bits(nats, c.free_bits) / batch.images[0].numel(),
            "kl_nats": nats.sum(1).mean().detach(),  # only logged
            **self._likeness(batch, seen, 1.0),
        }

    def decoder_loss(self, batch: Batch) -> Terms:
        """Similarity times gamma, and fooling D with reconstructions and with pictures from the prior."""
        c, seen, sentence = self._config, self._pass(batch), batch.text.sentence
        terms = self._likeness(batch, seen, c.gamma)
        if c.adversarial:
            logits = [self.discriminator.logits(features, sentence) for features in (seen.of_again, seen.of_drawn)]
            terms["adversarial"] = c.adversarial * fooling_loss(torch.cat(logits), c.loss)
        if c.mean_matching:
            of_real, of_drawn = (features[-1].mean(0) for features in (seen.of_real, seen.of_drawn))
            terms["mean_matching"] = c.mean_matching * F.mse_loss(of_drawn, of_real.detach())
        if self.reader is not None and c.reader:
            of_drawn, of_real = self.reader.features(seen.drawn), self._read(batch)
            terms["reader"] = c.reader * F.mse_loss(of_drawn, of_real.detach())
        return terms

    def discriminator_loss(self, batch: Batch) -> Terms:
        """Real pictures against reconstructions, pictures from the prior, and wrong texts."""
        assert batch.mismatched is not None  # needs_mismatched
        c, seen, judge, sentence = self._config, self._pass(batch), self.discriminator.logits, batch.text.sentence
        terms = {
            "real": real_loss(judge(seen.of_real, sentence), c.loss),
            "reconstructed": 0.5 * fake_loss(judge(seen.of_again, sentence), c.loss),
            "drawn": 0.5 * fake_loss(judge(seen.of_drawn, sentence), c.loss),
        }
        if c.wrong_text:
            terms["wrong_text"] = c.wrong_text * fake_loss(judge(seen.of_real, batch.mismatched.sentence), c.loss)
        return terms

    def reader_loss(self, batch: Batch) -> Terms:
        """Cross-entropy of each picture's caption among the batch's; all captions of its group count as right."""
        assert self.reader is not None  # only then is it a player
        logits = self.reader.logits(self._read(batch), batch.text.sentence)
        right = batch.groups[:, None] == batch.groups
        return {"cross_entropy": (logits.logsumexp(1) - logits.masked_fill(~right, -torch.inf).logsumexp(1)).mean()}

    def _likeness(self, batch: Batch, seen: Pass, weight: float) -> Terms:
        """-log p(D_l(x) | z) of a unit Gaussian around the reconstruction's features (eq. 7), the same of the reader's
        features (Bao 2017, eq. 6), and the pixels' error."""
        c = self._config
        terms = {}
        if c.similarity:
            wanted, found = (features[c.feature_layer] for features in (seen.of_real, seen.of_again))
            terms["similarity"] = weight * c.similarity * 0.5 * F.mse_loss(found, wanted)
        if self.reader is not None and c.reader_similarity:
            read_again = batch.once("read_again", partial(self.reader.features, seen.again))
            distance = F.mse_loss(read_again, self._read(batch).detach())
            terms["reader_similarity"] = weight * c.reader_similarity * 0.5 * distance
        if c.absolute_error:
            terms["absolute_error"] = weight * c.absolute_error * F.l1_loss(seen.again, batch.images)
        if c.squared_error:
            terms["squared_error"] = weight * c.squared_error * F.mse_loss(seen.again, batch.images)
        return terms

    def _pass(self, batch: Batch) -> Pass:
        def compute() -> Pass:
            vae, features = self.generator, self.discriminator.features
            sentence = noisy_sentence(vae.read(batch.text), self._config.text_noise, batch.noise)
            mean, log_variance = vae.encoder(batch.images, sentence)
            posterior = mean + (0.5 * log_variance).exp() * batch.noise.normal(vae.config.latent_dim)
            again = vae.decoder(posterior, sentence)
            drawn = vae.decoder(batch.noise.normal(vae.config.latent_dim), sentence)
            of_real, of_again, of_drawn = map(features, augmented(self._config.augment, batch.images, again, drawn))
            return Pass(mean, log_variance, again, drawn, of_real, of_again, of_drawn)

        return batch.once("pass", compute)

    def _read(self, batch: Batch) -> Float[Tensor, "b f"]:
        """The reader's features of the real pictures."""
        reader = self.reader
        assert reader is not None
        return batch.once("read", lambda: reader.features(batch.images))
