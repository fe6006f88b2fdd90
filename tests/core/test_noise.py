"""Each picture has its own stream of random numbers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from t2i.errors import InvalidInputError
from t2i.noise import Noise
from t2i.seeds import MAX_SEED

SEEDS = st.lists(st.integers(0, MAX_SEED), min_size=1, max_size=6)


@given(SEEDS, st.sampled_from(["normal", "uniform"]))
@settings(max_examples=30, deadline=None)
def test_a_seed_gives_the_same_numbers_alone_and_in_a_batch(seeds, kind):
    together = getattr(Noise(seeds), kind)(3, 2)
    assert together.shape == (len(seeds), 3, 2)
    for row, seed in zip(together, seeds, strict=True):
        assert torch.equal(row, getattr(Noise([seed]), kind)(3, 2)[0])


@given(SEEDS)
@settings(max_examples=30, deadline=None)
def test_successive_draws_continue_each_stream(seeds):
    batch, alone = Noise(seeds), Noise(seeds[-1:])
    draws = [batch.normal(4), batch.uniform(1), batch.normal(2)]
    for drawn, mine in zip(draws, [alone.normal(4), alone.uniform(1), alone.normal(2)], strict=True):
        assert torch.equal(drawn[-1:], mine)
    assert not torch.equal(draws[0][:, :2], draws[2])


def test_a_stream_is_torchs_own_generator_under_that_seed():
    expected = torch.randn(5, generator=torch.Generator().manual_seed(7))
    assert torch.equal(Noise([7]).normal(5)[0], expected)


def test_normal_numbers_have_the_normal_distributions_moments():
    drawn = Noise(range(100)).normal(2000).double()
    n = drawn.numel()
    assert abs(drawn.mean()) < 5 / n**0.5  # five standard errors each
    assert abs(drawn.var() - 1) < 5 * (2 / n) ** 0.5
    assert abs((drawn**4).mean() - 3) < 5 * (96 / n) ** 0.5


def test_uniform_numbers_fill_the_half_open_unit_interval():
    drawn = Noise(range(100)).uniform(2000).double()
    n = drawn.numel()
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert abs(drawn.mean() - 1 / 2) < 5 * (1 / 12 / n) ** 0.5
    assert abs(drawn.var() - 1 / 12) < 5 * (1 / 180 / n) ** 0.5


def test_neighbouring_seeds_are_uncorrelated():
    drawn = Noise(range(20)).normal(5000)
    correlation = torch.corrcoef(drawn) - torch.eye(20)
    assert correlation.abs().max() < 5 / 5000**0.5


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1, -(2**63), 2**64])
def test_a_seed_outside_its_range_is_refused(seed):
    with pytest.raises(InvalidInputError, match=f"from 0 to {2**63 - 1}, got {seed}"):
        Noise([0, seed])


def test_both_ends_of_the_seeds_range_work():
    low, high = Noise([0, MAX_SEED]).normal(8)
    assert not torch.equal(low, high)
