"""VAE-GAN and CVAE-GAN pass the suites that every technique must pass."""

from __future__ import annotations

import pytest
import torch

from t2i.testing.generators import GeneratorSuite
from t2i.testing.objectives import ObjectiveSuite
from t2i_cvae.config import CVAEConfig
from t2i_vaegan.config import VAEGANObjectiveConfig
from t2i_vaegan.generator import VAEGAN
from t2i_vaegan.training import VAEGANObjective

TINY = CVAEConfig(
    resolution=16, text_dim=12, encoder_widths=(8, 16), widths=(16, 8), latent_dim=8, text_features=8,
    condition_dim=16, hidden_dim=16,
)  # fmt: skip
GAMES = {
    "vae-gan": VAEGANObjectiveConfig(width=8, text_features=8, text_noise=0.2),
    "cvae-gan": VAEGANObjectiveConfig(
        loss="hinge",
        width=8,
        text_features=8,
        spectral_norm=False,
        adversarial=0,
        mean_matching=1,
        reader=1,
        reader_similarity=1,
    ),
}


def tiny() -> VAEGAN:
    torch.manual_seed(0)
    return VAEGAN(TINY)


class TestVAEGAN(GeneratorSuite):
    @pytest.fixture
    def generator(self) -> VAEGAN:
        return tiny()


class TestVAEGANObjective(ObjectiveSuite):
    @pytest.fixture(params=GAMES)
    def objective(self, request: pytest.FixtureRequest) -> VAEGANObjective:
        return VAEGANObjective(tiny(), GAMES[request.param])
