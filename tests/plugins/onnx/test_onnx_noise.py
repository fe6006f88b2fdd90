"""The numbers of a seed are torch's, number by number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from t2i_onnx.noise import Stream

SEEDS = (0, 1, 7, 1234, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**32 + 5, 2**40 + 3, 2**63 - 1)
SIZES = (*range(1, 71), 100, 1000, 12_288)
ULPS = 3  # units in the last place; torch has its logarithms and sines from the CPU's vector instructions


def torchs(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ulps(one: NDArray[np.float32], other: NDArray[np.float32]) -> int:
    """How many float32 numbers lie between two, at most; numbers of different signs are far apart."""
    return int(np.abs(one.view(np.int32).astype(np.int64) - other.view(np.int32)).max())


@pytest.mark.parametrize("seed", SEEDS)
def test_uniform_numbers_are_equal(seed: int) -> None:
    theirs, ours = torchs(seed), Stream(seed)
    for size in SIZES:
        assert np.array_equal(torch.rand(size, generator=theirs).numpy(), ours.uniform(size))


@pytest.mark.parametrize("seed", SEEDS)
def test_normal_numbers_are_equal_up_to_the_last_places(seed: int) -> None:
    for size in SIZES:
        expected, found = torch.randn(size, generator=torchs(seed)).numpy(), Stream(seed).normal(size)
        assert ulps(expected, found) <= (0 if size < 16 else ULPS), size


def test_draws_of_all_kinds_continue_the_stream() -> None:
    """Also after an odd number of single draws, whose pair's second number is drawn next, even after others."""
    for seed in range(40):
        theirs, ours = torchs(seed), Stream(seed)
        for kind, size in (
            ("normal", 3),
            ("uniform", 5),
            ("normal", 30),
            ("normal", 2),
            ("normal", 1),
            ("uniform", 40),
        ):
            expected = (torch.randn if kind == "normal" else torch.rand)(size, generator=theirs).numpy()
            assert ulps(expected, getattr(ours, kind)(size)) <= ULPS
