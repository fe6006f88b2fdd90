"""The plugin keeps the contract of plugins."""

from __future__ import annotations

import pytest

from t2i.testing.plugins import PluginSuite


class TestPlugin(PluginSuite):
    @pytest.fixture
    def distribution(self) -> str:
        return "t2i-apps"
