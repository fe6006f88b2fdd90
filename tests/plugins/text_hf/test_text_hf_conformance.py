"""MiniLM passes the suite that every text encoder must pass."""

from __future__ import annotations

import pytest

from t2i.testing.text_encoders import TextEncoderSuite
from t2i_text_hf.minilm import MiniLM


@pytest.fixture(scope="module")
def minilm() -> MiniLM:
    return MiniLM()


class TestMiniLM(TextEncoderSuite):
    @pytest.fixture
    def encoder(self, minilm: MiniLM) -> MiniLM:
        return minilm
