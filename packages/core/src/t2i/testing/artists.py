"""What every Artist promises, as a pytest class. Needs pytest (pip install pytest)."""

from __future__ import annotations

import pytest

from t2i.drawing.artist import Artist
from t2i.testing.checks.artists import ARTIST_CHECKS
from t2i.testing.suite import Suite, makes

__all__ = ["ArtistSuite"]


@makes(ARTIST_CHECKS, "artist")
class ArtistSuite(Suite):
    """Inherit, name the class Test..., and override `artist`."""

    @pytest.fixture
    def artist(self) -> Artist:
        """The artist, on the CPU."""
        raise NotImplementedError("An ArtistSuite overrides the fixture `artist`.")
