"""The plugin's declarations and its settings."""

from __future__ import annotations

from typing import Any

import pytest

from t2i.config import Config, parse_config
from t2i.errors import InvalidConfigError
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, load_target
from t2i.training.config import TrainConfig
from t2i.training.run import read_recipe
from t2i_stackgan.config import (
    StackGANConfig,
    StackGANObjectiveConfig,
    StackGANOptions,
    StackGANv2Config,
    StackGANv2ObjectiveConfig,
)


@pytest.mark.parametrize("name", ["stackgan", "stackgan-v2"])
def test_the_recipe_paper_has_the_papers_settings(name: str) -> None:
    """Adam 2e-4 with beta1 .5, KL 2, z 100, condition 128, two residual blocks, and no stabiliser."""
    spec, _ = registry().get(ModelSpec, name)
    recipe = read_recipe(name, "paper")
    model = parse_config(load_target(spec.config), recipe["model"], name)
    game = parse_config(load_target(spec.objective_config), recipe["objective"], name)
    train = parse_config(TrainConfig, recipe["train"], name)
    assert (model.noise_dim, model.condition_dim, model.residual_blocks) == (100, 128, 2)
    assert not model.normalize_text and not model.skip and game.pyramid == "bilinear"
    assert (game.loss, game.kl, game.adversarial) == ("bce", 2, 1) and not game.spectral_norm
    extras = ("r1_gamma", "reconstruction", "squared_error", "feature_matching", "text_noise", "shift")
    assert not any(getattr(game, extra) for extra in (*extras, "reconstruct_first"))
    rates = [game.generator, game.discriminator]
    if name == "stackgan":
        rates += [game.generator_two, game.discriminator_two]
        assert train.ema_half_life_kimg == 0 and game.discriminator_width == 96 and model.augmentation == "relu"
        assert {rate.schedule for rate in rates} == {"halving"}
        assert game.stage_one == pytest.approx(120 / (120 + 100))
        assert train.steps == -(-220 * 82_783 // train.batch_size)
        assert rates[0].halve_every_kimg * 1000 == 20 * 82_783
    else:
        half_life = 24 * 0.6931471805599453 / 0.0010005003335835344  # 24 ln 2 / -ln .999
        assert train.ema_half_life_kimg * 1000 == pytest.approx(half_life, rel=1e-3)
        assert train.ema_ramp == 0  # .999 from the first step on
        assert (train.batch_size, game.unconditional, game.discriminator_width) == (24, 1, 64)
        assert {rate.schedule for rate in rates} == {"constant"}
    assert {(rate.lr, rate.beta1, rate.beta2) for rate in rates} == {(2e-4, 0.5, 0.999)}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (StackGANConfig, {"resolution": 48}),
        (StackGANConfig, {"widths": [64]}),
        (StackGANConfig, {"widths": [0, 8]}),
        (StackGANConfig, {"encoder_widths": []}),
        (StackGANConfig, {"decoder_widths": [-1]}),
        (StackGANConfig, {"stages": 3}),
        (StackGANConfig, {"augmentation": "tanh"}),
        (StackGANConfig, {"condition_dim": 0}),
        (StackGANv2Config, {"branch_widths": [8, 8, 8, 8, 8, 8]}),
        (StackGANv2Config, {"noise_dim": 0}),
        (StackGANv2Config, {"residual_blocks": [2, 2, 2]}),
        (StackGANv2Config, {"residual_blocks": -1}),
        (StackGANObjectiveConfig, {"stage_one": 1.0}),
        (StackGANObjectiveConfig, {"unconditional": 1.0}),
        (StackGANv2ObjectiveConfig, {"stage_one": 0.5}),
        (StackGANv2ObjectiveConfig, {"kl": -1}),
        (StackGANv2ObjectiveConfig, {"loss": "wgan"}),
        (StackGANOptions, {"variation": -0.1}),
        (StackGANOptions, {"truncation": 2.1}),
    ],
)
def test_invalid_values_are_refused(kind: type[Config], values: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfigError, match=next(iter(values))):
        parse_config(kind, values, "here")
