"""What every distribution with a plugin promises, as a pytest class. Needs pytest (pip install pytest)."""

from __future__ import annotations

import pytest

from t2i.testing.checks.plugins import PLUGIN_CHECKS
from t2i.testing.suite import Suite, makes

__all__ = ["PluginSuite"]


@makes(PLUGIN_CHECKS, "distribution")
class PluginSuite(Suite):
    """Inherit, name the class Test..., and override `distribution`; it must be installed (pip install -e .)."""

    @pytest.fixture
    def distribution(self) -> str:
        """The distribution's name, such as "t2i-mytechnique"."""
        raise NotImplementedError("A PluginSuite overrides the fixture `distribution`.")
