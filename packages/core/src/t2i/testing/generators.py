"""What every Generator promises, as a pytest class. Needs pytest (pip install pytest)."""

from __future__ import annotations

import pytest

from t2i.generator import Generator
from t2i.testing.checks.generators import GENERATOR_CHECKS, draw
from t2i.testing.suite import Suite, makes

__all__ = ["GeneratorSuite", "draw"]


@makes(GENERATOR_CHECKS, "generator")
class GeneratorSuite(Suite):
    """Inherit, name the class Test..., and override `generator` with a tiny variant on the CPU."""

    @pytest.fixture
    def generator(self) -> Generator:
        """A generator with fresh weights, as small as its config allows."""
        raise NotImplementedError("A GeneratorSuite overrides the fixture `generator`.")
