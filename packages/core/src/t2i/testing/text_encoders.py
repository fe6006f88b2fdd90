"""What every TextEncoder promises, as a pytest class. Needs pytest (pip install pytest)."""

from __future__ import annotations

import pytest

from t2i.testing.checks.text_encoders import TEXT_ENCODER_CHECKS
from t2i.testing.suite import Suite, makes
from t2i.text import TextEncoder

__all__ = ["TextEncoderSuite"]


@makes(TEXT_ENCODER_CHECKS, "encoder")
class TextEncoderSuite(Suite):
    """Inherit, name the class Test..., and override `encoder`."""

    @pytest.fixture
    def encoder(self) -> TextEncoder:
        """The encoder, on the CPU."""
        raise NotImplementedError("A TextEncoderSuite overrides the fixture `encoder`.")
