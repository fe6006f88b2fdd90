"""A draw becomes batches with the right pixels, words and noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.data import numbered
from t2i.images import to_uint8
from t2i.noise import Noise
from t2i.training import batches as batches_module
from t2i.training.batches import BatchMaker
from t2i.training.sampling import Draw, Sampler

CPU = torch.device("cpu")
DATA = numbered([0, 0, 1, 2, 2], resolution=6)


def draw(pictures: list[int], places: list[tuple[float, float, float]]) -> Draw:
    count = len(pictures)
    return Draw(np.array(pictures), np.arange(count), np.arange(count) + 4, np.arange(count) + 50, np.array(places))


def batch(a_draw: Draw, resolution: int = 6, flip: bool = False):
    [made] = BatchMaker(DATA, resolution, flip, CPU).make(a_draw, parts=1, progress=0.25)
    return made


def test_whole_pictures_are_unchanged():
    made = batch(draw([3, 0, 3], [(0.9, 0.9, 0.1)] * 3))
    assert torch.equal(to_uint8(made.images), DATA.images[[3, 0, 3]])
    assert made.progress == 0.25


@pytest.mark.parametrize(
    ("place", "corner"), [((0.0, 0.0), (0, 0)), ((0.999, 0.0), (2, 0)), ((0.0, 0.999), (0, 2)), ((0.34, 0.6), (1, 1))]
)
def test_a_crop_starts_at_its_place(place, corner):
    y, x = corner
    made = batch(draw([4], [(*place, 0.9)]), resolution=4)
    assert torch.equal(to_uint8(made.images)[0], DATA.images[4, :, y : y + 4, x : x + 4])


def test_pictures_with_a_place_below_one_half_are_mirrored():
    made = batch(draw([1, 2], [(0, 0, 0.49), (0, 0, 0.5)]), flip=True)
    assert torch.equal(to_uint8(made.images)[0], DATA.images[1].flip(2))
    assert torch.equal(to_uint8(made.images)[1], DATA.images[2])


def test_making_batches_does_not_change_the_data():
    before = DATA.images.clone()
    for resolution in (6, 4):
        batch(draw([0, 1], [(0, 0, 0.1), (0.9, 0.9, 0.1)]), resolution, flip=True)
    assert torch.equal(DATA.images, before)


def test_words_and_noise_are_those_of_the_draw():
    made = batch(draw([0, 1], [(0, 0, 0.9)] * 2))
    for got, rows in ((made.text, [0, 1]), (made.mismatched, [4, 5])):
        own = DATA.captions[torch.tensor(rows)]
        assert torch.equal(got.sentence, own.sentence)
        assert torch.equal(got.words, own.words)
        assert torch.equal(got.mask, own.mask)
    assert torch.equal(made.noise.normal(3), Noise([50, 51]).normal(3))


@pytest.mark.parametrize("parts", [1, 2, 3, 8])
def test_parts_together_are_the_whole_batch(parts):
    a_draw = Sampler(DATA, 8, seed=0).draw(5)
    maker = BatchMaker(DATA, 4, True, CPU)
    [whole], cut = maker.make(a_draw, 1, 0.0), list(maker.make(a_draw, parts, 0.0))
    assert len(cut) == parts
    assert max(len(part.text) for part in cut) - min(len(part.text) for part in cut) <= 1
    assert torch.equal(torch.cat([part.images for part in cut]), whole.images)
    assert torch.equal(torch.cat([part.text.sentence for part in cut]), whole.text.sentence)
    assert torch.equal(torch.cat([part.mismatched.sentence for part in cut]), whole.mismatched.sentence)
    assert torch.equal(torch.cat([part.noise.uniform(2) for part in cut]), whole.noise.uniform(2))


def test_the_same_draw_gives_the_same_batch_with_fresh_noise():
    maker = BatchMaker(DATA, 4, True, CPU)
    a_draw = Sampler(DATA, 4, seed=1).draw(0)
    [first] = maker.make(a_draw, 1, 0.0)
    numbers = first.noise.normal(5)
    [again] = maker.make(a_draw, 1, 0.0)
    assert torch.equal(first.images, again.images)
    assert torch.equal(again.noise.normal(5), numbers)


def test_data_that_fits_is_kept_on_the_device_and_gives_the_same_batches(monkeypatch):
    a_draw = Sampler(DATA, 8, seed=0).draw(5)
    size = DATA.images.nbytes + DATA.captions.nbytes
    batches = {}
    for room in (size * 4 - 4, size * 4):
        monkeypatch.setattr(batches_module, "free_memory", lambda device, room=room: room)
        maker = BatchMaker(DATA, 4, True, CPU)
        [batches[maker.resident]] = maker.make(a_draw, 1, 0.0)
    assert batches.keys() == {True, False}
    assert torch.equal(batches[True].images, batches[False].images)
    for part in ("sentence", "words", "mask"):
        assert torch.equal(getattr(batches[True].text, part), getattr(batches[False].text, part))


def test_a_cpu_has_no_device_memory():
    assert batches_module.free_memory(CPU) == 0
    assert not BatchMaker(DATA, 4, True, CPU).resident


@given(st.integers(1, 6), st.integers(0, 99), st.booleans())
@settings(max_examples=30, deadline=None)
def test_one_gather_equals_a_loop_over_pictures(resolution, step, flip):
    a_draw = Sampler(DATA, 5, seed=1).draw(step)
    [made] = BatchMaker(DATA, resolution, flip, CPU).make(a_draw, 1, 0.0)
    for place, (picture, (y, x, mirror)) in enumerate(zip(a_draw.pictures, a_draw.places, strict=True)):
        top, left = (int(chance * (6 - resolution + 1)) for chance in (y, x))
        cut = DATA.images[picture, :, top : top + resolution, left : left + resolution]
        assert torch.equal(to_uint8(made.images)[place], cut.flip(2) if flip and mirror < 0.5 else cut)
