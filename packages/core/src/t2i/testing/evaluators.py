"""What every Evaluator promises, as a pytest class. Needs pytest (pip install pytest)."""

from __future__ import annotations

import pytest

from t2i.testing.checks.evaluators import EVALUATOR_CHECKS, MakeEvaluator
from t2i.testing.suite import Suite, makes

__all__ = ["EvaluatorSuite", "MakeEvaluator"]


@makes(EVALUATOR_CHECKS, "make_evaluator")
class EvaluatorSuite(Suite):
    """Inherit, name the class Test..., and override `make_evaluator`."""

    @pytest.fixture
    def make_evaluator(self) -> MakeEvaluator:
        """A function that makes an evaluator, always with the same settings, such as `lambda: MyEvaluator(folds=2)`.

        It receives 24 real and 24 generated pictures of 32 px, in 6 groups; choose settings that work with those.
        """
        raise NotImplementedError("An EvaluatorSuite overrides the fixture `make_evaluator`.")
