"""The conditional VAE passes the suites that every technique must pass."""

from __future__ import annotations

import pytest
import torch

from t2i.testing.generators import GeneratorSuite
from t2i.testing.objectives import ObjectiveSuite
from t2i_cvae.config import CVAEConfig, CVAEObjectiveConfig
from t2i_cvae.generator import ConditionalVAE
from t2i_cvae.training import CVAEObjective

TINY = CVAEConfig(
    resolution=16, text_dim=12, encoder_widths=(8, 16), widths=(16, 8), latent_dim=8, text_features=8,
    condition_dim=16, hidden_dim=16,
)  # fmt: skip
EVERYTHING = CVAEObjectiveConfig(squared_error=1, text_noise=0.2, free_bits=0.1, kl_warmup=0.5)


def tiny() -> ConditionalVAE:
    torch.manual_seed(0)
    return ConditionalVAE(TINY)


class TestConditionalVAE(GeneratorSuite):
    @pytest.fixture
    def generator(self) -> ConditionalVAE:
        return tiny()


class TestCVAEObjective(ObjectiveSuite):
    @pytest.fixture
    def objective(self) -> CVAEObjective:
        return CVAEObjective(tiny(), EVERYTHING)
