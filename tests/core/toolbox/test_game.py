"""The terms of both players against numbers calculated by hand, with a discriminator of fixed logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from t2i.config import parse_config
from t2i.errors import InvalidConfigError
from t2i.toolbox.game import Weights, discriminator_terms, game_phases, generator_terms, likeness_terms
from t2i.toolbox.game_config import GameConfig
from t2i.training.config import OptimizerConfig
from t2i.training.objective import Player

REAL, FAKE = torch.randn(2, 4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
RIGHT, WRONG = torch.ones(4, 2), torch.zeros(4, 2)
REAL_RIGHT, REAL_WRONG, FAKE_RIGHT = (torch.tensor(v) for v in ([2, 0.5, -1, 0], [-2, 0, 1, -0.5], [-1, -3, 0.5, 0]))
REAL_ALONE, FAKE_ALONE = torch.tensor([1.0, 0.5, 3, -1]), torch.tensor([0.5, -2, 0, -1.5])
WEIGHTS = Weights(1, 0.5, 0.25)
PICTURES = Weights(1, 0.5, 0.25, real_picture=2, fake_picture=0.125, fool_picture=4)


class Fixed:
    """Returns fixed logits for each kind of pair; its features are the pictures themselves."""

    def features(self, images: Tensor) -> list[Tensor]:
        return [images, 2 * images]

    def logits(self, features: list[Tensor], condition: Tensor) -> Tensor:
        if torch.equal(features[0], REAL):
            return REAL_RIGHT if torch.equal(condition, RIGHT) else REAL_WRONG
        assert torch.equal(features[0], FAKE) and torch.equal(condition, RIGHT)
        return FAKE_RIGHT

    def picture_logits(self, features: list[Tensor]) -> Tensor:
        return REAL_ALONE if torch.equal(features[0], REAL) else FAKE_ALONE


def asked(loss: str, logits: Tensor, real: bool) -> float:
    if loss == "bce":
        return F.binary_cross_entropy_with_logits(logits, torch.full((4,), float(real))).item()
    return sum(max(0.0, 1 - each if real else 1 + each) for each in logits.tolist()) / 4


def fooled(loss: str, logits: Tensor) -> float:
    return asked("bce", logits, True) if loss == "bce" else -logits.mean().item()


def numbers(terms: dict[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in terms.items()}


@pytest.mark.parametrize("loss", ["hinge", "bce"])
def test_discriminators_terms(loss: str) -> None:
    config = GameConfig.model_validate({"loss": loss})
    conditional = {
        "real": asked(loss, REAL_RIGHT, True),
        "wrong_text": 0.5 * asked(loss, REAL_WRONG, False),
        "fake": 0.25 * asked(loss, FAKE_RIGHT, False),
    }
    alone = {"real_picture": 2 * asked(loss, REAL_ALONE, True), "fake_picture": asked(loss, FAKE_ALONE, False) / 8}
    found = [numbers(discriminator_terms(Fixed(), REAL, FAKE, RIGHT, WRONG, config, w)) for w in (WEIGHTS, PICTURES)]
    assert found == [pytest.approx(conditional), pytest.approx(conditional | alone)]


@pytest.mark.parametrize("loss", ["hinge", "bce"])
def test_generators_terms(loss: str) -> None:
    config = GameConfig.model_validate({"loss": loss, "adversarial": 0.3, "feature_matching": 0.5})
    matching = 0.5 * (FAKE - REAL).abs().mean() / REAL.abs().mean()  # x and 2x: their relative distances are equal
    conditional = {"adversarial": 0.3 * fooled(loss, FAKE_RIGHT), "feature_matching": matching.item()}
    alone = {"adversarial_picture": 0.3 * 4 * fooled(loss, FAKE_ALONE)}
    found = [numbers(generator_terms(Fixed(), REAL, FAKE, RIGHT, config, w)) for w in (WEIGHTS, PICTURES)]
    assert found == [pytest.approx(conditional), pytest.approx(conditional | alone)]


@pytest.mark.parametrize("shift", [0, 3])
def test_r1_weighs_half_gamma_and_is_taken_on_real_pictures(shift: int) -> None:
    """Mescheder 2018, eq. 9: gamma / 2 E |grad D(x)|^2. A shift is a permutation of pixels: the norm stays."""
    weight = torch.randn(3, 8, 8)

    class Linear(Fixed):
        def logits(self, features: list[Tensor], condition: Tensor) -> Tensor:
            return (features[0] * weight).flatten(1).sum(1)

    config = GameConfig(r1_gamma=10, shift=shift)
    terms = discriminator_terms(Linear(), REAL, FAKE, RIGHT, WRONG, config, WEIGHTS)
    torch.testing.assert_close(terms["r1"], 5 * weight.square().sum())
    assert not REAL.requires_grad


@pytest.mark.parametrize("step", [0, 1, 3])
def test_the_matching_penalty_is_of_picture_and_text_together(step: int) -> None:
    """Of a logit w x + v c the norm is that of (w, v); computed at every third step, with three times the weight."""
    weight, slope = 0.1 * torch.randn(3, 8, 8), torch.tensor([0.5, -0.25])

    class Linear(Fixed):
        def logits(self, features: list[Tensor], condition: Tensor) -> Tensor:
            return (features[0] * weight).flatten(1).sum(1) + condition @ slope

    config = GameConfig(matching_penalty=2, r1_gamma=1, penalty_every=3)
    terms = discriminator_terms(Linear(), REAL, FAKE, RIGHT, WRONG, config, WEIGHTS, step=step)
    assert ("r1" in terms) == ("matching_penalty" in terms) == (step != 1)
    if step != 1:
        squared = weight.square().sum()
        torch.testing.assert_close(terms["matching_penalty"], 6 * (squared + slope.square().sum()) ** 3)
        torch.testing.assert_close(terms["r1"], 1.5 * squared)
    assert not REAL.requires_grad and not RIGHT.requires_grad


def test_real_and_fake_are_rolled_by_the_same_shift() -> None:
    seen: list[Tensor] = []

    class Recording(Fixed):
        def features(self, images: Tensor) -> list[Tensor]:
            seen.append(images)
            return [images]

        def logits(self, features: list[Tensor], condition: Tensor) -> Tensor:
            return features[0].mean((1, 2, 3))

    steps = [(y, x) for y in range(-2, 3) for x in range(-2, 3)]
    config = GameConfig(shift=2, feature_matching=1)
    offsets = set()
    for seed in range(4):
        torch.manual_seed(seed)
        seen.clear()
        discriminator_terms(Recording(), REAL, FAKE, RIGHT, WRONG, config, WEIGHTS)
        generator_terms(Recording(), REAL, FAKE, RIGHT, config, WEIGHTS)
        for real, fake in ((seen[0], seen[1]), (seen[3], seen[2])):
            (offset,) = [o for o in steps if torch.equal(REAL.roll(o, (2, 3)), real)]
            assert torch.equal(FAKE.roll(offset, (2, 3)), fake)
            offsets.add(offset)
    assert len(offsets) > 3


def test_likeness_by_hand() -> None:
    terms = likeness_terms(FAKE, REAL, GameConfig(reconstruction=2, squared_error=3))
    torch.testing.assert_close(terms["reconstruction"], 2 * (FAKE - REAL).abs().mean())
    torch.testing.assert_close(terms["squared_error"], 3 * (FAKE - REAL).square().mean())
    assert likeness_terms(FAKE, REAL, GameConfig()) == {}


def test_phases() -> None:
    def player(name: str) -> Player:
        return Player(name, {name: nn.Linear(1, 1)}, lambda batch: {}, OptimizerConfig(), span=(0.0, 0.5))

    def alone(batch: object) -> dict[str, Tensor]:
        return {}

    two = (player("discriminator"), player("generator"))
    (game,) = game_phases(*two, alone, GameConfig())
    assert (game.name, game.share, game.sharing, list(game.players)) == ("gan", 1, "in_turn", list(two))
    config = GameConfig(reconstruct_first=0.75, squared_error=1)
    first, second = game_phases(*two, alone, config, share=0.4, suffix="_two")
    assert (first.name, second.name) == ("reconstruct_two", "gan_two")
    assert (first.share, second.share) == (pytest.approx(0.3), pytest.approx(0.1))
    (drawing,) = first.players
    assert (drawing.name, drawing.loss, drawing.span) == ("generator", alone, (0.0, 0.5))
    assert drawing.modules is two[1].modules


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"reconstruct_first": 0.5}, "reconstruct_first needs reconstruction or squared_error above 0"),
        ({"reconstruct_first": 1.0, "reconstruction": 1}, "reconstruct_first"),
        ({"nearest_of": 2}, "nearest_of above 1 needs reconstruction or squared_error above 0"),
        ({"loss": "wgan"}, "loss"),
        ({"r1_gamma": -1}, "r1_gamma"),
        ({"generator": {"lr": 0}}, "generator.lr"),
        ({"discriminator": {"rate": 1}}, "rate"),
    ],
)
def test_impossible_games_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        parse_config(GameConfig, values, "objective")
