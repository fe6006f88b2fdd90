"""What a step sees is a function of (seed, step) alone, and over an epoch everybody is seen once."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.data import numbered
from t2i.data.sampling import Draw, Sampler
from t2i.errors import DataError
from t2i.seeds import MAX_SEED

GROUPS = st.lists(st.integers(0, 3), min_size=2, max_size=12).filter(lambda groups: len(set(groups)) > 1)
BALANCES = st.sampled_from(["image", "group"])


def equal(one: Draw, other: Draw) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(astuple(one), astuple(other), strict=True))


def drawn(sampler: Sampler, steps: int) -> np.ndarray:
    return np.concatenate([sampler.draw(step).pictures for step in range(steps)])


@given(GROUPS, st.integers(1, 9), st.integers(0, MAX_SEED))
@settings(max_examples=40, deadline=None)
def test_an_epoch_shows_every_picture_once_whatever_the_batch_size(groups, batch_size, seed):
    count = len(groups)
    epochs = drawn(Sampler(numbered(groups), batch_size, seed), steps=2 * count)[: 2 * count].reshape(2, count)
    for epoch in epochs:
        assert sorted(epoch) == list(range(count))


@given(GROUPS, st.integers(1, 9), st.integers(0, MAX_SEED))
@settings(max_examples=40, deadline=None)
def test_a_balanced_epoch_visits_every_group_once(groups, batch_size, seed):
    count = len(set(groups))
    pictures = drawn(Sampler(numbered(groups), batch_size, seed, "group"), steps=2 * count)[: 2 * count]
    for epoch in np.array(groups)[pictures].reshape(2, count):
        assert sorted(epoch) == sorted(set(groups))


def test_a_balanced_sampler_comes_round_to_every_picture():
    pictures = drawn(Sampler(numbered([0] * 6 + [1]), 4, 0, "group"), steps=50)
    counts = np.bincount(pictures, minlength=7)
    assert counts[6] == 100
    assert (abs(counts[:6] - 100 / 6) < 5 * (100 * (1 / 6) * (5 / 6)) ** 0.5).all()


@given(GROUPS, BALANCES, st.integers(0, MAX_SEED))
@settings(max_examples=40, deadline=None)
def test_captions_are_the_picture_s_and_mismatches_are_of_another_group(groups, balance, seed):
    data = numbered(groups, captions_each=3)
    draw = Sampler(data, 8, seed, balance).draw(0)
    of = {caption: picture for picture, captions in enumerate(data.captions_of) for caption in captions}
    for picture, caption, wrong in zip(draw.pictures, draw.captions, draw.mismatched, strict=True):
        assert of[caption] == picture
        assert groups[of[wrong]] != groups[picture]


@given(GROUPS, BALANCES, st.integers(0, MAX_SEED), st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_a_fresh_sampler_at_any_step_draws_what_a_running_one_does(groups, balance, seed, step):
    data = numbered(groups)
    running = Sampler(data, 5, seed, balance)
    running.draw(step + 3)
    running.draw(max(step - 1, 0))
    assert equal(running.draw(step), Sampler(data, 5, seed, balance).draw(step))


def test_other_seeds_and_other_steps_draw_otherwise():
    data = numbered(range(30))
    first = Sampler(data, 8, seed=1).draw(0)
    for other in (Sampler(data, 8, seed=2).draw(0), Sampler(data, 8, seed=1).draw(1)):
        for mine, theirs in zip(astuple(first), astuple(other), strict=True):
            assert not np.array_equal(mine, theirs)


def test_epochs_are_shuffled_differently():
    epochs = drawn(Sampler(numbered(range(30)), 30, seed=0), steps=4).reshape(4, 30)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_noise_seeds_never_repeat_and_places_fill_the_unit_interval():
    sampler = Sampler(numbered(range(4)), 100, seed=0)
    draws = [sampler.draw(step) for step in range(20)]
    seeds = np.concatenate([draw.seeds for draw in draws])
    assert len(set(seeds.tolist())) == 2000
    assert seeds.min() >= 0
    assert seeds.max() <= MAX_SEED
    assert seeds.max() > MAX_SEED * 0.99
    places = np.concatenate([draw.places for draw in draws])
    assert places.min() >= 0
    assert places.max() < 1
    assert (abs(places.mean(0) - 1 / 2) < 5 * (1 / 12 / 2000) ** 0.5).all()


def test_every_caption_of_a_picture_has_its_turn():
    sampler = Sampler(numbered([0, 1], captions_each=3), 10, seed=0)
    assert {caption for step in range(20) for caption in sampler.draw(step).captions} == set(range(6))


@pytest.mark.parametrize("groups", [[0], [7, 7, 7]])
def test_data_of_one_group_cannot_be_mismatched_and_says_so(groups):
    with pytest.raises(DataError, match=rf"numbered holds only one \({len(groups)} usable pictures\). Add pictures"):
        Sampler(replace(numbered(groups), name="numbered"), 4, 0)
