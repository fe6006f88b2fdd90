"""The checks of every Engine, as a pytest class. Needs pytest (pip install pytest)."""

from __future__ import annotations

import pytest

from t2i.engine import Engine
from t2i.testing.checks.engines import ENGINE_CHECKS
from t2i.testing.suite import Suite, makes

__all__ = ["EngineSuite"]


@makes(ENGINE_CHECKS, "engine")
class EngineSuite(Suite):
    """Inherit, name the class Test..., and override `engine`."""

    @pytest.fixture
    def engine(self) -> Engine:
        """The engine; it may be the same one for all checks."""
        raise NotImplementedError("An EngineSuite overrides the fixture `engine`.")
