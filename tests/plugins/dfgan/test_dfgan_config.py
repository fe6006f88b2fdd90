"""The plugin's declarations and its settings."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from t2i.config import Config, parse_config
from t2i.errors import InvalidConfigError
from t2i.training.config import TrainConfig
from t2i.training.run import read_recipe
from t2i_dfgan.config import DFGANConfig, DFGANObjectiveConfig, DFGANOptions
from t2i_dfgan.generator import DFGAN
from t2i_dfgan.training import DFGANObjective


def test_the_recipe_paper_has_the_papers_settings() -> None:
    """Sec. 4: z 100, Adam (0, .9) at 1e-4 and 4e-4, MA-GP with k 2, hinge, and no stabiliser."""
    recipe = read_recipe("dfgan", "paper")
    model = parse_config(DFGANConfig, recipe["model"], "paper")
    game = parse_config(DFGANObjectiveConfig, recipe["objective"], "paper")
    train = parse_config(TrainConfig, recipe["train"], "paper")
    assert (model.noise_dim, model.patch, model.resolution) == (100, 1, 256)
    assert not model.normalize_text and not model.normalize_features
    assert (game.loss, game.matching_penalty, game.penalty_every, game.adversarial) == ("hinge", 2, 1, 1)
    assert [(r.lr, r.beta1, r.beta2, r.schedule) for r in (game.generator, game.discriminator)] == [
        (1e-4, 0, 0.9, "constant"),
        (4e-4, 0, 0.9, "constant"),
    ]
    extras = ("r1_gamma", "reconstruction", "squared_error", "feature_matching", "text_noise", "shift")
    assert not any(getattr(game, extra) for extra in (*extras, "reconstruct_first", "spectral_norm"))
    assert train.ema_half_life_kimg == 0 and train.steps == 600 * 8855 // 24


def test_the_papers_generator_has_9_7_million_parameters() -> None:
    """
    z         100*4096 + 4096                                                            =   413,696
    fusion    of c channels: 4 (356*c + c + c*c + c) = F(c); F(256) = 628,736, F(128) = 248,832, F(64) = 108,032,
              F(32) = 49,920
    8..32 px  3 (2 F(256) + 2 (256*256*9 + 256))                                         = 7,312,896
    64 px     F(256) + F(128) + 256*128*9 + 128 + 128*128*9 + 128 + 256*128 + 128        = 1,353,088
    128 px    F(128) + F(64) + 128*64*9 + 64 + 64*64*9 + 64 + 128*64 + 64                =   475,840
    256 px    F(64) + F(32) + 64*32*9 + 32 + 32*32*9 + 32 + 64*32 + 32                   =   187,744
    picture   32*27 + 3                                                                  =       867
    """
    model = parse_config(DFGANConfig, read_recipe("dfgan", "paper")["model"] | {"text_dim": 256}, "paper")
    with torch.device("meta"):
        generator = DFGAN(model)
    total = sum([413_696, 7_312_896, 1_353_088, 475_840, 187_744, 867])
    assert sum(parameter.numel() for parameter in generator.parameters()) == total == 9_744_131


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (DFGANConfig, {"resolution": 48}),
        (DFGANConfig, {"widths": [64]}),
        (DFGANConfig, {"widths": [0, 8]}),
        (DFGANConfig, {"patch": 0}),
        (DFGANConfig, {"noise_dim": 0}),
        (DFGANObjectiveConfig, {"discriminator_widths": [8]}),
        (DFGANObjectiveConfig, {"joint_width": 0}),
        (DFGANObjectiveConfig, {"matching_penalty": -1}),
        (DFGANObjectiveConfig, {"penalty_every": 0}),
        (DFGANObjectiveConfig, {"loss": "wgan"}),
        (DFGANOptions, {"truncation": 2.1}),
    ],
)
def test_invalid_values_are_refused(kind: type[Config], values: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfigError, match=next(iter(values))):
        parse_config(kind, values, "here")


def test_the_discriminator_halves_as_often_as_the_generator_doubles() -> None:
    for widths, resolution in ((8,) * 3, 32), ((8,) * 5, 128):
        shape = DFGANConfig(widths=widths, text_dim=8)
        network = DFGANObjective(DFGAN(shape), DFGANObjectiveConfig(discriminator_widths=(4, 8, 12, 16))).discriminator
        assert shape.resolution == resolution
        assert network.logits(network.features(torch.zeros(2, 3, resolution, resolution)), torch.zeros(2, 8)).shape == (
            2,
        )
