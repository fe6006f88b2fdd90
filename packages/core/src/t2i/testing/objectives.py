"""What every Objective promises, as a pytest class. Needs pytest (pip install pytest)."""

from __future__ import annotations

import pytest

from t2i.testing.checks.objectives import OBJECTIVE_CHECKS
from t2i.testing.checks.tiny_training import batch_of, tiny_data
from t2i.testing.suite import Suite, makes
from t2i.training.objective import Objective

__all__ = ["ObjectiveSuite", "batch_of", "tiny_data"]


@makes(OBJECTIVE_CHECKS, "objective")
class ObjectiveSuite(Suite):
    """Inherit, name the class Test..., and override `objective` with a tiny variant on the CPU."""

    @pytest.fixture
    def objective(self) -> Objective:
        """An objective over fresh networks; deep copies of it train independently."""
        raise NotImplementedError("An ObjectiveSuite overrides the fixture `objective`.")
