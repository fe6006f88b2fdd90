"""The image convention and its conversions."""

from __future__ import annotations

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from t2i.images import from_uint8, grid, to_pil, to_uint8

EVERY_VALUE = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16).repeat(1, 3, 1, 1)


def test_every_byte_round_trips():
    assert torch.equal(to_uint8(from_uint8(EVERY_VALUE)), EVERY_VALUE)


def test_bytes_map_to_the_interval_linearly():
    expected = np.linspace(-1, 1, 256)
    assert np.allclose(from_uint8(EVERY_VALUE)[0, 0].flatten().numpy(), expected, atol=1e-6)


@given(st.floats(-3, 3))
def test_a_value_becomes_the_nearest_byte_clipped(value):
    byte = int(to_uint8(torch.full((1, 3, 1, 1), value))[0, 0, 0, 0])
    exact = min(max((value + 1) * 127.5, 0), 255)
    assert abs(byte - exact) <= 0.5 + 1e-4


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_are_converted_the_same_way(kind):
    ends = torch.tensor([-1.0, 1.0], dtype=kind).reshape(1, 1, 1, 2).repeat(1, 3, 1, 1)
    assert to_uint8(ends)[0, 0, 0].tolist() == [0, 255]


def test_to_uint8_does_not_change_its_input():
    images = torch.rand(1, 3, 4, 4)
    before = images.clone()
    to_uint8(images)
    assert torch.equal(images, before)


def test_pictures_keep_channels_and_rows_in_order():
    images = torch.full((2, 3, 2, 3), -1.0)
    images[1, 0, 0, 2] = 1  # red, top right, of the second
    black, picture = to_pil(images)
    assert (picture.mode, picture.size) == ("RGB", (3, 2))
    assert picture.getpixel((2, 0)) == (255, 0, 0)
    assert sorted(picture.getcolors()) == [(1, (255, 0, 0)), (5, (0, 0, 0))]
    assert black.getcolors() == [(6, (0, 0, 0))]


def test_the_shape_in_the_signature_is_checked_while_tests_run():
    with pytest.raises(jaxtyping.TypeCheckError, match="to_uint8"):
        to_uint8(torch.zeros(3, 8, 8))


def test_a_grid_shows_each_picture_once_in_reading_order():
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250), (9, 9, 9), (90, 90, 9)]
    sheet = np.asarray(grid([Image.new("RGB", (5, 3), colour) for colour in colours], columns=2))
    corners = []
    for colour in colours:
        rows, columns = np.nonzero((sheet == colour).all(-1))
        assert len(rows) == 5 * 3
        corners.append((rows.min(), columns.min()))
    assert corners == sorted(corners)
    assert len({row for row, _ in corners}) == 3


def test_a_grid_enlarges_by_whole_pixels():
    sheet = grid([Image.new("RGB", (2, 2), "red")], scale=4)
    assert {colour: count for count, colour in sheet.getcolors()}[(255, 0, 0)] == 8 * 8


def test_captions_are_drawn_below_and_cut_to_the_pictures_width():
    plain = grid([Image.new("RGB", (40, 10), "red")])
    named = np.asarray(grid([Image.new("RGB", (40, 10), "red")], captions=["a very long caption indeed, no end to it"]))
    below = named[plain.height - 2 :]
    assert named.shape[0] > plain.height
    assert (below < 128).any()
    assert (named[:, -3:] > 128).all()


def test_a_wide_caption_continues_on_a_second_line():
    picture = Image.new("RGB", (80, 10), "red")
    captions = ("a fish", "a fish and a large bird", "a fish " * 9)
    one, two, three = (grid([picture], captions=[text]) for text in captions)
    assert one.height < two.height == three.height
    below = np.asarray(two)[one.height :]
    assert (below < 128).any()
