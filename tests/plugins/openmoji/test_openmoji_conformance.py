"""OpenMoji passes the suite that every dataset must pass."""

from __future__ import annotations

from functools import partial

import pytest

from t2i.testing.datasets import DatasetSuite, Splits
from t2i_openmoji.dataset import OpenMoji


class TestOpenMoji(DatasetSuite):
    @pytest.fixture
    def splits(self) -> Splits:
        return {split: partial(OpenMoji, split) for split in ("train", "compose", "all")}
