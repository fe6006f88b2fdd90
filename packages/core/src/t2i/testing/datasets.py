"""What every CaptionedDataset promises, as a pytest class. Needs pytest (pip install pytest)."""

from __future__ import annotations

import pytest

from t2i.testing.checks.datasets import DATASET_CHECKS, Splits
from t2i.testing.suite import Suite, makes

__all__ = ["DatasetSuite", "Splits"]


@makes(DATASET_CHECKS, "splits")
class DatasetSuite(Suite):
    """Inherit, name the class Test..., and override `splits`."""

    @pytest.fixture
    def splits(self) -> Splits:
        """For each split a function that opens it, such as {"train": lambda: MyData("train")}."""
        raise NotImplementedError("A DatasetSuite overrides the fixture `splits`.")
