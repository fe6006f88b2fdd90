"""The checks of every LanguageModel, as a pytest class. Needs pytest (pip install pytest)."""

from __future__ import annotations

import pytest

from t2i.language import LanguageModel
from t2i.testing.checks.language_models import LANGUAGE_MODEL_CHECKS
from t2i.testing.suite import Suite, makes

__all__ = ["LanguageModelSuite"]


@makes(LANGUAGE_MODEL_CHECKS, "model")
class LanguageModelSuite(Suite):
    """Inherit, name the class Test..., and override `model`."""

    @pytest.fixture
    def model(self) -> LanguageModel:
        """The language model."""
        raise NotImplementedError("A LanguageModelSuite overrides the fixture `model`.")
