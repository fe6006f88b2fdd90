"""The objectives of both StackGANs: v1 trains one stage after the other, v2 all scales at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from t2i.toolbox.conditioning import Condition, ConditioningAugmentation
from t2i.toolbox.discriminator import StageDiscriminator, tree_discriminators
from t2i.toolbox.game import Weights, game_phases
from t2i.toolbox.sentences import noisy_sentence
from t2i.toolbox.stage_game import Read, StageGame, drawn_noise
from t2i.training.config import OptimizerConfig
from t2i.training.objective import Batch, Objective, Phase, Player
from t2i_stackgan.config import StackGANObjectiveConfig, StackGANv2ObjectiveConfig
from t2i_stackgan.generator import StackGAN, StackGANv2

ONE = Weights(real=1, wrong_text=1 / 2, fake=1 / 2)  # v1 eq. 3 and 4, as released
TWO = Weights(
    1 / 2, 1 / 3, 1 / 3, real_picture=1 / 2, fake_picture=1 / 3, fool_picture=1
)  # v1 eq. 5 and 6, as released


@final
class StackGANObjective(Objective):
    """v1: two players train stage I, then two train stage II while stage I is frozen."""

    needs_mismatched = True

    def __init__(self, generator: StackGAN, config: StackGANObjectiveConfig) -> None:
        self.generator: StackGAN = generator
        self._config, shape = config, generator.config
        self.discriminators = [
            StageDiscriminator(
                side,
                shape.condition_dim,
                config.discriminator_width,
                spectral=config.spectral_norm,
                unconditional=side > shape.resolutions[0],
                orthogonal=False,
            )
            for side in shape.resolutions
        ]
        by_side = [{side: network} for side, network in zip(shape.resolutions, self.discriminators, strict=True)]
        self.games = [StageGame(config, self._draw_one, mu_by(generator.stage_one.augmentation), by_side[0], ONE)]
        if shape.stages == 2:
            read = mu_by(generator.stage_two.augmentation)
            self.games.append(StageGame(config, self._draw_two, read, by_side[1], TWO))

    @property
    def phases(self) -> Sequence[Phase]:
        c, whole = self._config, self.generator.config.stages == 1
        one = self._phases("one", (0.0, 1.0 if whole else c.stage_one), (c.generator, c.discriminator))
        if whole:
            return one
        return one + self._phases("two", (c.stage_one, 1.0), (c.generator_two, c.discriminator_two))

    def _phases(
        self, name: str, span: tuple[float, float], optimizers: tuple[OptimizerConfig, OptimizerConfig]
    ) -> list[Phase]:
        """The phases that train stage `name` in the part `span` of the run."""
        number = ("one", "two").index(name)
        game, stage = self.games[number], {f"stage_{name}": getattr(self.generator, f"stage_{name}")}
        discriminator = {f"discriminator_{name}": self.discriminators[number]}
        return game_phases(
            Player(f"discriminator_{name}", discriminator, game.discriminator_loss, optimizers[1], span=span),
            Player(f"generator_{name}", stage, game.generator_loss, optimizers[0], span=span),
            game.reconstruction_loss,
            self._config,
            share=span[1] - span[0],
            suffix=f"_{name}",
        )

    def _draw_one(self, batch: Batch) -> tuple[list[Tensor], Condition]:
        sentence = noisy_sentence(batch.text.sentence, self._config.text_noise, batch.noise)
        picture, condition = self.generator.stage_one(sentence, *self._noise(batch, sentence))
        return [torch.tanh(picture)], condition

    def _draw_two(self, batch: Batch) -> tuple[list[Tensor], Condition]:
        sentence = noisy_sentence(batch.text.sentence, self._config.text_noise, batch.noise)
        z, noise = self._noise(batch, batch.text.sentence)
        with torch.no_grad():
            before, _ = self.generator.stage_one(batch.text.sentence, z, noise)
        noise = batch.noise.normal(self.generator.config.condition_dim)
        picture, condition = self.generator.stage_two(before, sentence, noise)
        return [torch.tanh(picture)], condition

    def _noise(self, batch: Batch, sentence: Float[Tensor, "b d"]) -> tuple[Float[Tensor, "b z"], Float[Tensor, "b c"]]:
        """Stage I's noise for z and for the condition."""
        shape, stage = self.generator.config, self.generator.stage_one
        dims = (shape.noise_dim, shape.condition_dim)
        return drawn_noise(
            batch, self._config, dims, shape.resolutions[0], lambda z, noise: torch.tanh(stage(sentence, z, noise)[0])
        )


@final
class StackGANv2Objective(Objective):
    """v2: the tree, and one discriminator per scale.

    The discriminators are one player: Adam updates each parameter separately, so the result is the same as with one
    optimiser each, and the tree draws only once for all of them.
    """

    needs_mismatched = True

    def __init__(self, generator: StackGANv2, config: StackGANv2ObjectiveConfig) -> None:
        self.generator: StackGANv2 = generator
        self._config, shape, weight = config, generator.config, config.unconditional
        self.discriminators = tree_discriminators(
            shape.resolutions,
            shape.condition_dim,
            config.discriminator_width,
            spectral=config.spectral_norm,
            unconditional=weight > 0,
        )
        # v2 eq. 4 and 5: as released, the picture of the wrong pair counts as real, so real pictures count twice
        weights = Weights(1, 1, 1, real_picture=2 * weight, fake_picture=weight, fool_picture=weight)
        self.game = StageGame(config, self._draw, mu_by(generator.tree.augmentation), self.discriminators, weights)

    @property
    def phases(self) -> Sequence[Phase]:
        c, game = self._config, self.game
        networks: dict[str, nn.Module] = {f"discriminator_{side}": d for side, d in self.discriminators.items()}
        tree = {"tree": self.generator.tree}
        return game_phases(
            Player("discriminators", networks, game.discriminator_loss, c.discriminator),
            Player("generator", tree, game.generator_loss, c.generator),
            game.reconstruction_loss,
            c,
        )

    def _draw(self, batch: Batch) -> tuple[list[Tensor], Condition]:
        shape, tree = self.generator.config, self.generator.tree
        sentence = noisy_sentence(batch.text.sentence, self._config.text_noise, batch.noise)
        dims = (shape.noise_dim, shape.condition_dim)
        noise = drawn_noise(
            batch, self._config, dims, shape.resolutions[0], lambda z, noise: tree.coarsest(sentence, z, noise)
        )
        return tree(sentence, *noise)


def mu_by(augmentation: ConditioningAugmentation) -> Read:
    """The discriminators read a caption as its mu."""
    return lambda text: augmentation.gaussian(text.sentence)[0]
