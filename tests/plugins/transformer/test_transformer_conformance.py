"""Tokenizer and prior pass the suites that every technique must pass."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from t2i.testing.generators import GeneratorSuite
from t2i.testing.objectives import ObjectiveSuite
from t2i_transformer.config import TransformerConfig, TransformerObjectiveConfig
from t2i_transformer.generator import TokenTransformer
from t2i_transformer.training import TransformerObjective

TINY = {
    "resolution": 16, "text_dim": 12, "widths": (8, 16), "codes": 24, "code_dim": 8, "dim": 16, "depth": 2, "heads": 2,
}  # fmt: skip
PRIORS = ("autoregressive", "masked")


def tiny(prior: str, **changes: Any) -> TokenTransformer:
    torch.manual_seed(0)
    return TokenTransformer(TransformerConfig.model_validate({**TINY, "prior": prior, **changes}))


@pytest.mark.parametrize("prior", PRIORS)
class TestTokenTransformer(GeneratorSuite):
    @pytest.fixture
    def generator(self, prior: str) -> TokenTransformer:
        return tiny(prior)


@pytest.mark.parametrize("prior", PRIORS)
class TestTransformerObjective(ObjectiveSuite):
    @pytest.fixture
    def objective(self, prior: str) -> TransformerObjective:
        settings = TransformerObjectiveConfig(tokenizer_share=0.5, text_noise=0.1, label_smoothing=0.1)
        return TransformerObjective(tiny(prior, dropout=0.1), settings)
