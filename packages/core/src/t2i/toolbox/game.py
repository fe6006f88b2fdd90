"""A generator against discriminators that also reject mismatched texts: both players' losses, and their phases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2i.toolbox.adversarial import (
    fake_loss,
    feature_distance,
    fooling_loss,
    gradient_penalty,
    matching_penalty,
    real_loss,
)
from t2i.toolbox.diff_augment import for_discriminator
from t2i.toolbox.game_config import GameConfig
from t2i.training.objective import Batch, Phase, Player

Terms = dict[str, Tensor]


@runtime_checkable
class Discriminator(Protocol):
    """Gives logits for whether a picture is real and fits a condition (a sentence, or features computed from one)."""

    def features(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """The outputs of each layer, finest first."""
        ...

    def logits(self, features: list[Tensor], condition: Float[Tensor, "b c"]) -> Float[Tensor, " b"]:
        """How real the picture is, and how well the condition fits it."""
        ...


@runtime_checkable
class PictureDiscriminator(Discriminator, Protocol):
    """Also gives logits without a condition."""

    def picture_logits(self, features: list[Tensor]) -> Float[Tensor, " b"]:
        """How real the picture is, regardless of the text."""
        ...


@dataclass(frozen=True)
class Weights:
    """Weights of the loss terms; the last three do not use the text, and 0 leaves them out.

    Attributes:
        real, wrong_text, fake: of the discriminator's terms for a real picture with its text, a real picture with
            another text, and a drawn one with its text.
        real_picture, fake_picture: of its terms for the pictures alone.
        fool_picture: of the generator's term for the drawn picture alone.
    """

    real: float
    wrong_text: float
    fake: float
    real_picture: float = 0.0
    fake_picture: float = 0.0
    fool_picture: float = 0.0


def discriminator_terms(
    discriminator: Discriminator,
    real: Float[Tensor, "b 3 h w"],
    fake: Float[Tensor, "b 3 h w"],
    right: Float[Tensor, "b c"],
    wrong: Float[Tensor, "b c"],
    config: GameConfig,
    weights: Weights,
    *,
    step: int = 0,
) -> Terms:
    """{real, right text} against {real, wrong text} and {fake, right text} (Reed et al. 2016, alg. 1).

    Args:
        fake: detached here, so that the generator's loss can backpropagate through the same pictures.
        step: of the run; gradient penalties are computed at every `penalty_every`-th.
    """
    loss = config.loss
    times = config.penalty_every if step % config.penalty_every == 0 else 0
    r1, matching = 0.5 * config.r1_gamma * times, config.matching_penalty * times
    real = real.detach().requires_grad_(r1 + matching > 0)
    right = right.detach().requires_grad_(matching > 0)
    of_real, of_fake = (discriminator.features(seen) for seen in for_discriminator(config, real, fake.detach()))
    logits = discriminator.logits(of_real, right)
    terms = {
        "real": weights.real * real_loss(logits, loss),
        "wrong_text": weights.wrong_text * fake_loss(discriminator.logits(of_real, wrong), loss),
        "fake": weights.fake * fake_loss(discriminator.logits(of_fake, right), loss),
    }
    if weights.real_picture:
        terms["real_picture"] = weights.real_picture * real_loss(_picture_logits(discriminator, of_real), loss)
    if weights.fake_picture:
        terms["fake_picture"] = weights.fake_picture * fake_loss(_picture_logits(discriminator, of_fake), loss)
    if r1:
        terms["r1"] = r1 * gradient_penalty(logits, real)
    if matching:
        terms["matching_penalty"] = matching * matching_penalty(logits, real, right)
    return terms


def generator_terms(
    discriminator: Discriminator,
    real: Float[Tensor, "b 3 h w"],
    fake: Float[Tensor, "b 3 h w"],
    right: Float[Tensor, "b c"],
    config: GameConfig,
    weights: Weights,
) -> Terms:
    """The adversarial loss of the fakes, and the distance of their discriminator features from real pictures'."""
    seen, wanted = for_discriminator(config, fake, real)
    features = discriminator.features(seen)
    terms = {"adversarial": config.adversarial * fooling_loss(discriminator.logits(features, right), config.loss)}
    if weights.fool_picture:
        fooling = fooling_loss(_picture_logits(discriminator, features), config.loss)
        terms["adversarial_picture"] = config.adversarial * weights.fool_picture * fooling
    if config.feature_matching:
        with torch.no_grad():
            targets = discriminator.features(wanted)
        terms["feature_matching"] = config.feature_matching * feature_distance(features, targets)
    return terms


def likeness_terms(fake: Float[Tensor, "b 3 h w"], real: Float[Tensor, "b 3 h w"], config: GameConfig) -> Terms:
    """Pixel-wise distances between a fake and the caption's real picture."""
    terms = {}
    if config.reconstruction:
        terms["reconstruction"] = config.reconstruction * F.l1_loss(fake, real)
    if config.squared_error:
        terms["squared_error"] = config.squared_error * F.mse_loss(fake, real)
    return terms


def game_phases(
    discriminator: Player,
    generator: Player,
    reconstruction_loss: Callable[[Batch], Mapping[str, Tensor]],
    config: GameConfig,
    *,
    share: float = 1.0,
    suffix: str = "",
) -> list[Phase]:
    """The phase of the game, after a phase "reconstruct" if the config asks for one.

    In the game the losses share what they compute (`Batch.once`), such as the fakes. Held-out pictures are compared
    with those drawn for their captions.

    Args:
        reconstruction_loss: the generator's loss while it trains alone.
        share: the share of the run that both phases take together.
        suffix: appended to the phases' names.
    """
    first = config.reconstruct_first
    validate = reconstruction_loss if config.reconstruction + config.squared_error else None
    game = Phase(f"gan{suffix}", [discriminator, generator], share * (1 - first), sharing="in_turn", validate=validate)
    if not first:
        return [game]
    alone = replace(generator, loss=reconstruction_loss)
    return [Phase(f"reconstruct{suffix}", [alone], share * first, validate=validate), game]


def _picture_logits(discriminator: Discriminator, features: list[Tensor]) -> Float[Tensor, " b"]:
    assert isinstance(discriminator, PictureDiscriminator), "weights for pictures alone need a PictureDiscriminator"
    return discriminator.picture_logits(features)
