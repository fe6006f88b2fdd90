"""The plugin's declarations and its settings."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
import torch
import yaml

from t2i.config import parse_config
from t2i.errors import InvalidConfigError
from t2i.training.config import TrainConfig
from t2i_cgan.config import CGANConfig, CGANObjectiveConfig, CGANOptions
from t2i_cgan.generator import ConditionalGAN
from t2i_cgan.training import CGANObjective


def test_the_recipe_paper_has_the_papers_settings() -> None:
    """Reed et al. 2016, sec. 5, and alg. 1: lr 2e-4, beta1 .5, batch 64, z 100, text 128, weights 1, .5, .5
    and, for half as many half-way texts, .5."""
    recipe = yaml.safe_load((files("t2i_cgan") / "recipes/paper.yaml").read_text())
    model, train = CGANConfig.model_validate(recipe["model"]), TrainConfig.model_validate(recipe["train"])
    game = CGANObjectiveConfig.model_validate(recipe["objective"])
    assert (model.architecture, model.noise_dim, model.condition_dim, model.ngf, game.ndf) == (
        "paper",
        100,
        128,
        128,
        64,
    )
    assert (game.loss, game.wrong_text, game.fake, game.interpolation, game.adversarial) == ("bce", 0.5, 0.5, 0.5, 1)
    extras = (
        game.r1_gamma,
        game.reconstruction,
        game.squared_error,
        game.feature_matching,
        game.text_noise,
        game.shift,
    )
    assert not any(extras) and not game.spectral_norm and not train.ema_half_life_kimg
    for optimizer in (game.generator, game.discriminator):
        assert (optimizer.lr, optimizer.beta1, optimizer.schedule) == (2e-4, 0.5, "halving")
    assert (train.batch_size, train.crop_margin, train.horizontal_flip, train.balance) == (64, 76 - 64, True, "group")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (CGANConfig, {"resolutoin": 64}),
        (CGANConfig, {"resolution": 8}),
        (CGANConfig, {"widths": [64]}),
        (CGANConfig, {"widths": [-8, 8]}),
        (CGANConfig, {"widths": [0, 8]}),
        (CGANConfig, {"noise_dim": 0}),
        (CGANConfig, {"ngf": 10}),
        (CGANConfig, {"architecture": "dcgan"}),
        (CGANObjectiveConfig, {"discriminator_widths": [-8, 8]}),
        (CGANObjectiveConfig, {"wrong_text": float("nan")}),
        (CGANOptions, {"truncation": -0.1}),
        (CGANOptions, {"truncation": 2.1}),
        (CGANOptions, {"tuncation": 1}),
    ],
)
def test_invalid_values_are_refused(kind: type, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfigError, match=next(iter(values))):
        parse_config(kind, values, "here")


@pytest.mark.parametrize(
    "values",
    [
        {"resolution": 48},
        {"widths": (256, 128)},
        {"pixel_shuffle": 4},
        {"pixel_shuffle": 3},
        {"architecture": "paper", "resolution": 128},
    ],
)
def test_shapes_that_miss_the_resolution_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfigError, match=r"give \d+ px per side"):
        ConditionalGAN(CGANConfig(**values))


def test_widths_that_group_norms_cannot_split_are_refused() -> None:
    with pytest.raises(InvalidConfigError, match=r"multiples of 8, got \[12\]"):
        ConditionalGAN(CGANConfig(resolution=16, widths=(16, 12)))


@pytest.mark.parametrize(
    ("resolution", "widths", "shuffle"), [(16, (8, 8, 8), 1), (16, (8, 8), 2), (24, (8, 8), 3), (64, (8, 8, 8), 4)]
)
def test_shapes_that_reach_the_resolution_draw_it(resolution: int, widths: tuple[int, ...], shuffle: int) -> None:
    config = CGANConfig(resolution=resolution, widths=widths, pixel_shuffle=shuffle, text_dim=8)
    assert ConditionalGAN(config)(torch.zeros(2, 8), torch.zeros(2, 100)).shape == (2, 3, resolution, resolution)


def test_impossible_objectives_are_refused() -> None:
    generator = ConditionalGAN(CGANConfig(resolution=16, widths=(8, 8), text_dim=8))
    with pytest.raises(InvalidConfigError, match="too many for 16 px"):
        CGANObjective(generator, CGANObjectiveConfig(discriminator_widths=(8, 8, 8, 8)))
