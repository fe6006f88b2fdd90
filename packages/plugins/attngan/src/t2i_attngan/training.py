"""The objective of AttnGAN: DAMSM learns to match words with regions; then, frozen, it trains the tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from t2i.errors import InvalidConfigError
from t2i.toolbox.conditioning import Condition
from t2i.toolbox.discriminator import tree_discriminators
from t2i.toolbox.game import Terms, Weights, game_phases
from t2i.toolbox.sentences import noisy_text
from t2i.toolbox.stage_game import StageGame, drawn_noise
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i_attngan.config import AttnGANObjectiveConfig
from t2i_attngan.damsm import accuracy, matching_losses, sentence_similarities, word_similarities
from t2i_attngan.generator import AttnGAN

RELEASED = Weights(1 / 2, 1 / 3, 1 / 3, real_picture=1 / 2, fake_picture=1 / 3, fool_picture=1)  # eq. 4 to 6


@final
class AttnGANObjective(Objective):
    """A phase for DAMSM, then the game of the tree against a discriminator per scale."""

    needs_mismatched = True

    def __init__(self, generator: AttnGAN, config: AttnGANObjectiveConfig) -> None:
        """
        Raises:
            InvalidConfigError: DAMSM is to be trained, but the model has none; or its backbone has other channels.
            PluginError: the backbone cannot be loaded; says why.
        """
        self.generator: AttnGAN = generator
        self._config, shape = config, generator.config
        if config.damsm_share and not shape.backbone:
            raise InvalidConfigError(
                "objective: damsm_share trains DAMSM, but model.backbone is ''. Name a backbone, or set "
                "damsm_share=0 and matching=0."
            )
        if config.damsm_share:
            from t2i_attngan.backbone import Backbone

            backbone = Backbone(shape)
            self.keeps = {"backbone": backbone}
        self.discriminators = tree_discriminators(
            shape.resolutions,
            shape.word_dim,
            config.discriminator_width,
            spectral=config.spectral_norm,
            unconditional=True,
        )
        self.game = StageGame(
            config, self._draw, lambda text: generator.damsm.reader(text).sentence, self.discriminators, RELEASED
        )

    @property
    def phases(self) -> Sequence[Phase]:
        c, share = self._config, self._config.damsm_share
        networks: dict[str, nn.Module] = {f"discriminator_{side}": d for side, d in self.discriminators.items()}
        span = (share, 1.0)
        game = game_phases(
            Player("discriminators", networks, self.game.discriminator_loss, c.discriminator, span=span),
            Player("generator", {"tree": self.generator.tree}, self.generator_loss, c.generator, span=span),
            self.game.reconstruction_loss,
            c,
            share=1 - share,
        )
        if not share:
            return game
        damsm = Player("damsm", {"damsm": self.generator.damsm}, self.damsm_loss, c.matcher, span=(0.0, share))
        return [Phase("damsm", [damsm], share, validate=self.matching_terms), *game]

    def matching_terms(self, batch: Batch) -> Terms:
        """DAMSM's losses without the shares that are only logged."""
        return {name: term for name, term in self.damsm_loss(batch).items() if not name.startswith("right_by")}

    def damsm_loss(self, batch: Batch) -> Terms:
        """Eq. 13 on real pictures, and the shares of captions that choose their own picture, logged alone."""
        c, damsm = self._config, self.generator.damsm
        text = damsm.reader(noisy_text(batch.text, c.text_noise, batch.noise), c.damsm.dropout)
        with torch.no_grad():
            maps = self.keeps["backbone"](batch.images)
        seen = damsm.see(maps)
        terms = matching_losses(seen, text, batch.groups, c.damsm)
        with torch.no_grad():
            for name, table in (
                ("words", word_similarities(seen, text, c.damsm)),
                ("sentence", sentence_similarities(seen, text)),
            ):
                terms[f"right_by_{name}"] = accuracy(table, batch.groups)
        return terms

    def generator_loss(self, batch: Batch) -> Terms:
        """Eq. 3: the game's terms at every scale, and DAMSM's loss of the largest pictures."""
        c = self._config
        terms = self.game.generator_loss(batch)
        if c.matching and batch.step % c.damsm.every == 0:
            pictures, _ = self.game.drawn(batch)
            seen = self.generator.damsm.see(self.keeps["backbone"](pictures[-1]))
            with torch.no_grad():
                text = self.generator.damsm.reader(batch.text)
            weight = c.matching * c.damsm.every
            terms |= {k: weight * term for k, term in matching_losses(seen, text, batch.groups, c.damsm).items()}
        return terms

    def _draw(self, batch: Batch) -> tuple[list[Tensor], Condition]:
        shape, tree = self.generator.config, self.generator.tree
        with torch.no_grad():
            text = self.generator.damsm.reader(noisy_text(batch.text, self._config.text_noise, batch.noise))
        dims = (shape.noise_dim, shape.condition_dim)
        noise = drawn_noise(
            batch, self._config, dims, shape.resolutions[0], lambda z, noise: tree.coarsest(text, z, noise)
        )
        grown = tree(text, *noise)
        return grown.pictures, grown.condition
