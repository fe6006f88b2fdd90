"""The flow passes the suites that every technique must pass."""

from __future__ import annotations

import pytest
import torch

from t2i.testing.generators import GeneratorSuite
from t2i.testing.objectives import ObjectiveSuite
from t2i_flow.config import FlowConfig, FlowObjectiveConfig
from t2i_flow.generator import FlowTransformer
from t2i_flow.training import FlowObjective

TINY = FlowConfig(resolution=16, text_dim=12, patch=4, bottleneck=8, dim=16, depth=2, heads=2, hidden_dim=24)


def tiny() -> FlowTransformer:
    """A tiny generator; its weights are perturbed, because a new network draws grey for every input."""
    torch.manual_seed(0)
    generator = FlowTransformer(TINY)
    for parameter in generator.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return generator


class TestFlowTransformer(GeneratorSuite):
    @pytest.fixture
    def generator(self) -> FlowTransformer:
        return tiny()


class TestFlowObjective(ObjectiveSuite):
    @pytest.fixture
    def objective(self) -> FlowObjective:
        return FlowObjective(tiny(), FlowObjectiveConfig())
