"""The layered VAE passes the suites that every technique must pass."""

from __future__ import annotations

import pytest
import torch

from t2i.testing.generators import GeneratorSuite
from t2i.testing.objectives import ObjectiveSuite
from t2i_layers.config import LayersConfig, LayersObjectiveConfig
from t2i_layers.generator import LayeredVAE
from t2i_layers.training import LayersObjective

TINY = LayersConfig(
    resolution=16, text_dim=12, copies=(2, 1), latent_dim=8, dim=16, depth=1, heads=2, widths=(16, 8),
    encoder_widths=(8, 16),
)  # fmt: skip


def tiny() -> LayeredVAE:
    torch.manual_seed(0)
    return LayeredVAE(TINY)


class TestLayeredVAE(GeneratorSuite):
    @pytest.fixture
    def generator(self) -> LayeredVAE:
        return tiny()


class TestLayersObjective(ObjectiveSuite):
    @pytest.fixture
    def objective(self) -> LayersObjective:
        return LayersObjective(tiny(), LayersObjectiveConfig(absolute_error=0.5))
