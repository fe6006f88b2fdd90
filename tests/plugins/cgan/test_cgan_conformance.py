"""The conditional GAN passes the suites that every technique must pass."""

from __future__ import annotations

import pytest
import torch

from t2i.testing.generators import GeneratorSuite
from t2i.testing.objectives import ObjectiveSuite
from t2i_cgan.config import CGANConfig, CGANObjectiveConfig
from t2i_cgan.generator import ConditionalGAN
from t2i_cgan.training import CGANObjective

SHAPES = {
    "modulated": {
        "resolution": 16, "widths": (16, 8), "pixel_shuffle": 2, "condition_dim": 16, "hidden_dim": 16, "noise_dim": 8,
    },
    "paper": {"architecture": "paper", "condition_dim": 16, "noise_dim": 8, "ngf": 8},
}  # fmt: skip
GAMES = {
    "everything": {
        "interpolation": 1, "feature_matching": 1, "squared_error": 1, "reconstruction": 1, "reconstruct_first": 0.5,
        "text_noise": 0.2, "shift": 2,
    },
    "paper-r1": {"loss": "bce", "r1_gamma": 10, "spectral_norm": False, "interpolation": 0.5},
}  # fmt: skip


def tiny(shape: str) -> ConditionalGAN:
    torch.manual_seed(0)
    return ConditionalGAN(CGANConfig.model_validate({"text_dim": 12, **SHAPES[shape]}))


@pytest.mark.parametrize("shape", SHAPES)
class TestConditionalGAN(GeneratorSuite):
    @pytest.fixture
    def generator(self, shape: str) -> ConditionalGAN:
        return tiny(shape)


@pytest.mark.parametrize(("shape", "game"), [("modulated", "everything"), ("paper", "paper-r1")])
class TestCGANObjective(ObjectiveSuite):
    @pytest.fixture
    def objective(self, shape: str, game: str) -> CGANObjective:
        settings = CGANObjectiveConfig.model_validate({"discriminator_widths": (8, 8), "ndf": 8, **GAMES[game]})
        return CGANObjective(tiny(shape), settings)
