"""DF-GAN passes the suites that every technique must pass."""

from __future__ import annotations

import pytest

from fakes.official_dfgan import moved
from t2i.testing.generators import GeneratorSuite
from t2i.testing.objectives import ObjectiveSuite
from t2i_dfgan.config import DFGANConfig, DFGANObjectiveConfig
from t2i_dfgan.generator import DFGAN
from t2i_dfgan.training import DFGANObjective

SHAPES = {
    "patches": {"widths": (16, 8), "patch": 2, "noise_dim": 8},
    "released": {"widths": (8, 8, 4), "patch": 1, "noise_dim": 8, "normalize_text": False, "normalize_features": False},
}
GAMES = {
    "everything": {
        "discriminator_widths": (8, 12), "penalty_every": 2, "feature_matching": 1, "squared_error": 1,
        "reconstruction": 1, "reconstruct_first": 0.5, "text_noise": 0.2, "shift": 2, "spectral_norm": True,
    },
    "released": {"discriminator_widths": (4, 8, 8)},
}  # fmt: skip


def tiny(shape: str) -> DFGAN:
    generator = DFGAN(DFGANConfig.model_validate({"text_dim": 12, **SHAPES[shape]}))
    moved(generator)
    return generator


@pytest.mark.parametrize("shape", SHAPES)
class TestDFGAN(GeneratorSuite):
    @pytest.fixture
    def generator(self, shape: str) -> DFGAN:
        return tiny(shape)


@pytest.mark.parametrize(("shape", "game"), [("patches", "everything"), ("released", "released")])
class TestObjective(ObjectiveSuite):
    @pytest.fixture
    def objective(self, shape: str, game: str) -> DFGANObjective:
        settings = DFGANObjectiveConfig.model_validate({"joint_width": 8, **GAMES[game]})
        return DFGANObjective(tiny(shape), settings)
