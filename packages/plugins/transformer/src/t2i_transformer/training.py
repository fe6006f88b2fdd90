"""The objective: first the tokenizer learns to reconstruct pictures from tokens, then the prior learns the tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from t2i.errors import PluginError
from t2i.images import from_uint8
from t2i.toolbox.adversarial import fake_loss, fooling_loss, real_loss
from t2i.toolbox.sentences import noisy_text
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i_transformer.adversary import PatchDiscriminator, adaptive_weight
from t2i_transformer.config import TransformerObjectiveConfig
from t2i_transformer.generator import TokenTransformer
from t2i_transformer.tokenizer import codes_of, perplexity

CHUNK = 256  # pictures tokenised at once


@final
class TransformerObjective(Objective):
    """Two phases; the first has a second player if there is a patch discriminator.

    In the second phase the tokenizer is frozen, so the dataset is tokenised once, from the centre crop of each picture
    without flips.
    """

    def __init__(self, generator: TokenTransformer, config: TransformerObjectiveConfig) -> None:
        """
        Raises:
            PluginError: the perceptual distance is used, but t2i-metrics or its backbone cannot be loaded; says why.
        """
        self.generator: TokenTransformer = generator
        self._config = config
        self._tokens: Int[Tensor, "n t"] = torch.empty(0, 0, dtype=torch.long)
        self.discriminator = PatchDiscriminator(config.discriminator_width) if config.adversarial else None
        self._perceptual = None
        if config.perceptual:
            try:
                from t2i_metrics.perceptual import PerceptualDistance
            except ImportError as error:
                raise PluginError(
                    f"objective.perceptual needs t2i-metrics, which cannot be imported ({error}). Install it: "
                    f"pip install 't2i-transformer[perceptual]'"
                ) from None
            self._perceptual = PerceptualDistance(config.backbone, pretrained=config.backbone_pretrained)
            self.keeps = {"perceptual": self._perceptual}

    @property
    def phases(self) -> Sequence[Phase]:
        c, networks, share = self._config, self.generator, self._config.tokenizer_share
        tokenizer = Player(
            "tokenizer", {"tokenizer": networks.tokenizer}, self.tokenizer_loss, c.tokenizer, span=(0, share)
        )
        prior = Player("prior", {"prior": networks.prior}, self.prior_loss, c.optimizer, span=(share, 1))
        first = Phase("tokenizer", [tokenizer], share=share, validate=self.reconstruction_terms)
        if self.discriminator is not None:
            modules = {"discriminator": self.discriminator}
            opponent = Player("discriminator", modules, self.discriminator_loss, c.discriminator, span=(0, share))
            first = replace(first, players=[tokenizer, opponent], sharing="in_turn")
        return [
            first,
            Phase("prior", [prior], share=1 - share, start=self.tokenise, validate=self.held_out_terms),
        ]

    def reconstruction_terms(self, batch: Batch) -> dict[str, Tensor]:
        """The error of held-out pictures' reconstructions; the codebook does not follow them."""
        again = self.generator.reconstruct(batch.images, batch.text)
        return {"absolute_error": F.l1_loss(again, batch.images), "squared_error": F.mse_loss(again, batch.images)}

    def held_out_terms(self, batch: Batch) -> dict[str, Tensor]:
        """The prior's loss on held-out pictures, whose tokens are computed here."""
        return self._prior_loss(batch, self.generator.tokenizer.encode(batch.images))

    def tokenizer_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Van den Oord et al. 2017, eq. 3, with the codebook's moving averages instead of the middle term; with
        `perceptual` and `adversarial`, Esser et al. 2021, eq. 4 to 7."""
        c, tokenizer, shape = self._config, self.generator.tokenizer, self.generator.config
        latents = tokenizer.latents(batch.images)
        tokens = tokenizer.follow(latents, torch.rand(shape.code_depth, shape.codes, device=latents.device), c)
        codes = tokenizer.rounded(tokens)
        again = tokenizer.picture(latents + (codes - latents).detach())  # the gradient passes straight through
        batch.once("again", again.detach)
        terms = {
            "absolute_error": c.absolute_error * F.l1_loss(again, batch.images),
            "squared_error": c.squared_error * F.mse_loss(again, batch.images),
        }
        if self._perceptual is not None:
            terms["perceptual"] = c.perceptual * self._perceptual(again, batch.images)
        reconstruction = torch.stack(list(terms.values())).sum()
        if self.discriminator is not None and batch.progress >= c.adversarial_start:
            fooling = fooling_loss(self.discriminator(again), "hinge")
            weight = adaptive_weight(reconstruction, fooling, tokenizer.last_weight)
            terms |= {"adversarial": c.adversarial * weight * fooling, "adaptive_weight": weight}
        return terms | {
            "commitment": c.commitment * F.mse_loss(latents, codes),
            "perplexity": perplexity(codes_of(tokens, shape.codes, 1), shape.codes),  # of the first code, only logged
        }

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Real pictures against their reconstructions from the tokenizer's loss."""
        assert self.discriminator is not None  # only then is it a player
        again = batch.once("again", lambda: self.generator.reconstruct(batch.images, batch.text).detach())
        return {
            "real": 0.5 * real_loss(self.discriminator(batch.images), "hinge"),
            "fake": 0.5 * fake_loss(self.discriminator(again), "hinge"),
        }

    @torch.no_grad()
    def tokenise(self, images: UInt8[Tensor, "n 3 h w"]) -> None:
        """Compute and keep the tokens of the whole dataset."""
        side, tokenizer = self.generator.resolution, self.generator.tokenizer
        top, left = (extent - side for extent in images.shape[2:])
        middle = images[..., top // 2 :, left // 2 :][..., :side, :side]
        device = tokenizer.codebook.codes.device
        chunks = [tokenizer.encode(from_uint8(chunk.to(device))) for chunk in torch.split(middle, CHUNK)]
        self._tokens = torch.cat(chunks)

    def prior_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of the tokens, in nats: each given those before it, or the hidden ones given the rest."""
        return self._prior_loss(batch, self._tokens[batch.pictures])

    def _prior_loss(self, batch: Batch, tokens: Tensor) -> dict[str, Tensor]:
        prior = self.generator.prior
        dropped, share = batch.noise.uniform(2).unbind(1)
        text = noisy_text(batch.text, self._config.text_noise, batch.noise)
        reading = prior.read(text, dropped < self._config.condition_dropout)
        if prior.causal:
            codes = codes_of(tokens, prior.codes, prior.depth).flatten(1)
            return {"cross_entropy": self._cross_entropy(prior(tokens, reading), codes).mean()}
        rank = batch.noise.uniform(prior.length).argsort(1).argsort(1)
        count = (prior.length * (torch.pi / 2 * share).cos()).ceil()  # Chang et al. 2022, sec. 3.1; at least one
        unknown = rank < count[:, None]
        logits = prior(tokens.masked_fill(unknown, prior.unknown), reading)
        return {"cross_entropy": self._cross_entropy(logits, tokens)[unknown].mean()}

    def _cross_entropy(self, logits: Float[Tensor, "b n k"], tokens: Int[Tensor, "b n"]) -> Float[Tensor, "b n"]:
        return F.cross_entropy(
            logits.float().transpose(1, 2), tokens, reduction="none", label_smoothing=self._config.label_smoothing
        )
