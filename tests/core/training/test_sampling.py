"""A step's draw depends only on (seed, step), and an epoch visits every picture once."""

from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.data import numbered
from t2i.data.pack.store import Ragged
from t2i.errors import DataError
from t2i.seeds import MAX_SEED
from t2i.training.likeness import Likeness
from t2i.training.sampling import Draw, Sampler

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


@given(st.lists(st.integers(1, 4), min_size=2, max_size=8), st.integers(1, 9), st.integers(0, MAX_SEED))
@settings(max_examples=40, deadline=None)
def test_an_epoch_visits_every_picture_as_often_as_its_repeats(repeats, batch_size, seed):
    data, total = replace(numbered(list(range(len(repeats)))), repeats=np.array(repeats)), sum(repeats)
    for epoch in drawn(Sampler(data, batch_size, seed), steps=2 * total)[: 2 * total].reshape(2, total):
        assert np.bincount(epoch, minlength=len(repeats)).tolist() == repeats


@given(GROUPS, st.integers(1, 9), st.integers(0, MAX_SEED))
@settings(max_examples=40, deadline=None)
def test_a_balanced_epoch_visits_every_group_once(groups, batch_size, seed):
    count = len(set(groups))
    pictures = drawn(Sampler(numbered(groups), batch_size, seed, "group"), steps=2 * count)[: 2 * count]
    for epoch in np.array(groups)[pictures].reshape(2, count):
        assert sorted(epoch) == sorted(set(groups))


def test_a_balanced_sampler_visits_every_picture_over_time():
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
def test_a_new_sampler_at_any_step_draws_the_same_as_a_running_one(groups, balance, seed, step):
    data = numbered(groups)
    running = Sampler(data, 5, seed, balance)
    running.draw(step + 3)
    running.draw(max(step - 1, 0))
    assert equal(running.draw(step), Sampler(data, 5, seed, balance).draw(step))


def test_other_seeds_and_other_steps_draw_differently():
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


def test_every_caption_of_a_picture_is_used():
    sampler = Sampler(numbered([0, 1], captions_each=3), 10, seed=0)
    assert {caption for step in range(20) for caption in sampler.draw(step).captions} == set(range(6))


@pytest.mark.parametrize("groups", [[0], [7, 7, 7]])
def test_data_of_one_group_is_an_error_if_mismatches_are_needed(groups):
    with pytest.raises(DataError, match=rf"numbered holds only one group \({len(groups)} usable pictures\). Add"):
        Sampler(replace(numbered(groups), name="numbered"), 4, 0)
    assert Sampler(numbered(groups), 4, 0, mismatch=False).draw(0).mismatched is None


@given(GROUPS, BALANCES, st.integers(0, MAX_SEED))
@settings(max_examples=20, deadline=None)
def test_without_mismatches_the_same_pictures_and_captions_are_drawn(groups, balance, seed):
    data = numbered(groups)
    plain, mismatching = (Sampler(data, 5, seed, balance, mismatch=mismatch).draw(3) for mismatch in (False, True))
    assert plain.mismatched is None and mismatching.mismatched is not None
    assert np.array_equal(plain.pictures, mismatching.pictures)
    assert np.array_equal(plain.captions, mismatching.captions)
    assert plain.share(1, 2).mismatched is None


def test_the_watched_pictures_are_the_same_at_every_call():
    sampler = Sampler(numbered(range(30)), 8, seed=1)
    first = sampler.still(4)
    sampler.draw(7)
    assert equal(first, sampler.still(4))
    assert first.pictures.tolist() == [0, 9, 19, 29] and first.captions.tolist() == [0, 18, 38, 58]
    assert first.seeds.tolist() == [0, 1, 2, 3] and not set(first.mismatched) & set(first.captions)
    assert sampler.still(100).pictures.tolist() == list(range(30))


def drawn_mismatches(data, steps: int = 60) -> set[tuple[int, int]]:
    """All (picture, picture of the mismatched caption) that are drawn."""
    of = {caption: picture for picture, captions in enumerate(data.captions_of) for caption in captions}
    draws = [Sampler(data, 8, 3).draw(step) for step in range(steps)]
    return {(int(p), of[int(c)]) for draw in draws for p, c in zip(draw.pictures, draw.mismatched, strict=True)}


def test_equal_pictures_are_never_each_other_s_mismatch():
    data = replace(numbered(range(5)), looks=np.array([7, 8, 7, 9, 10], np.uint64))
    pairs = drawn_mismatches(data)
    assert not pairs & {(0, 2), (2, 0)}
    assert pairs == {(a, b) for a in range(5) for b in range(5) if a != b} - {(0, 2), (2, 0)}


def test_pictures_of_one_caption_are_never_each_other_s_mismatch():
    data = replace(numbered(range(5), captions_each=1), captions_of=[[0, 4], [1], [2, 4], [3], [4]])
    draws = [Sampler(data, 8, 3).draw(step) for step in range(60)]
    wrong = {(int(p), int(c)) for draw in draws for p, c in zip(draw.pictures, draw.mismatched, strict=True)}
    apart = {0: {1, 3}, 2: {1, 3}, 4: {1, 3}, 1: {0, 2, 3, 4}, 3: {0, 1, 2, 4}}
    assert wrong == {(picture, caption) for picture, captions in apart.items() for caption in captions}


def test_a_rare_mismatch_is_found_among_a_thousand_alike():
    """All pictures but one share a caption: random tries alone would hardly ever find the other."""
    captions = [[0, index] for index in range(1, 1000)] + [[1000]]
    data = replace(numbered(range(1000), captions_each=1), captions_of=captions)
    data = replace(data, caption_texts=[str(index) for index in range(1001)])
    for step in range(5):
        draw = Sampler(data, 16, 0).draw(step)
        assert set(draw.mismatched[draw.pictures != 999]) == {1000}


def test_if_all_pictures_share_a_caption_only_groups_matter():
    data = replace(numbered([0, 0, 1, 1], captions_each=1), captions_of=[[0, 1], [0, 2], [0, 3], [0, 1]])
    draws = [Sampler(data, 8, 0).draw(step) for step in range(20)]
    seen = {(int(p), int(c)) for draw in draws for p, c in zip(draw.pictures, draw.mismatched, strict=True)}
    assert {picture for picture, _ in seen} == {0, 1, 2, 3}
    assert {caption for picture, caption in seen if picture == 0} <= {0, 3, 1}


@given(
    st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=3), min_size=1, max_size=7),
    st.lists(st.integers(0, 3), min_size=7, max_size=7),
)
@settings(max_examples=60, deadline=None)
def test_likeness_is_a_shared_caption_or_an_equal_look(captions, looks):
    count = len(captions)
    likeness = Likeness(Ragged.of(captions), np.array(looks[:count]))
    pairs = np.array([(a, b) for a in range(count) for b in range(count)])
    wanted = [bool(set(captions[a]) & set(captions[b])) or looks[a] == looks[b] for a, b in pairs]
    got = likeness(pairs[:, 0], pairs[:, 1])
    different = pairs[:, 0] != pairs[:, 1]
    assert (got == wanted)[different].all()
    for picture in range(count):
        others = np.arange(count) != picture
        assert (likeness.unlike(picture) == ~got.reshape(count, count)[picture])[others].all()


GOLDEN = {
    "group": ([5, 2, 3, 1], [10, 4, 7, 2], [1, 11, 10, 6], [7195641031664990263, 3515702281445977609]),
    "image": ([0, 4, 1, 3], [0, 8, 3, 6], [5, 10, 10, 4], [8725180495956904314, 5547292723837613704]),
}


@pytest.mark.parametrize("balance", GOLDEN)
def test_draws_are_those_of_version_0_1(balance):
    draw = Sampler(numbered([0, 0, 1, 2, 2, 3]), 4, seed=7, balance=balance).draw(11)
    found = tuple(part.tolist() for part in (draw.pictures, draw.captions, draw.mismatched, draw.seeds[:2]))
    assert found == GOLDEN[balance]
