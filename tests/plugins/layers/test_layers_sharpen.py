"""Sharper sprites: edges become steeper, and nothing else changes."""

from __future__ import annotations

import torch
from torch import Tensor

from t2i_layers.sharpen import sharpen, smooth


def opaque(grey: Tensor) -> Tensor:
    """[1, 4, s, s]: one row of greys for each row and colour, fully visible."""
    rows = grey.expand(1, 4, len(grey), -1).clone()
    rows[:, 3] = 1.0
    return rows


BLURRED = smooth(smooth(opaque(torch.tensor([-1.0] * 8 + [1.0] * 8))))


def largest_step(sprites: Tensor) -> float:
    return sprites[0, 0].diff(dim=1).abs().max().item()


def test_without_sharpness_nothing_changes() -> None:
    assert sharpen(BLURRED, 0.0) is BLURRED


def test_an_edge_gets_steeper_and_stays_where_it_was() -> None:
    sharp = sharpen(BLURRED, 1.0)
    assert largest_step(sharp) > 1.5 * largest_step(BLURRED)
    torch.testing.assert_close(sharp[:, :3].flip(-1), -sharp[:, :3])
    torch.testing.assert_close(sharp[0, 0].mean(), BLURRED[0, 0].mean(), atol=1e-5, rtol=0)


def test_half_the_sharpness_is_half_the_way() -> None:
    torch.testing.assert_close(sharpen(BLURRED, 0.5), (BLURRED + sharpen(BLURRED, 1.0)) / 2)


def test_a_flat_sprite_stays_as_it_is() -> None:
    flat = opaque(torch.full((16,), 0.3))
    torch.testing.assert_close(sharpen(flat, 1.0), flat)


def test_small_differences_are_no_edges() -> None:
    torch.manual_seed(0)
    noisy = opaque(torch.full((16,), 0.3))
    noisy[:, :3] += 0.02 * torch.randn(1, 3, 16, 16)
    assert sharpen(noisy, 1.0)[:, :3].std() < noisy[:, :3].std()


def test_no_colour_exceeds_the_opacity_that_it_is_multiplied_by() -> None:
    torch.manual_seed(0)
    opacity = torch.rand(2, 1, 16, 16)
    sharp = sharpen(torch.cat([(2 * torch.rand(2, 3, 16, 16) - 1) * opacity, opacity], 1), 1.0)
    assert sharp[:, 3:].min() >= 0 and sharp[:, 3:].max() <= 1
    assert (sharp[:, :3].abs() <= sharp[:, 3:] + 1e-6).all()


def test_smooth_weighs_neighbours_as_one_two_one() -> None:
    point = torch.zeros(1, 1, 5, 5)
    point[..., 2, 2] = 16
    weights = torch.tensor([0.0, 1.0, 2.0, 1.0, 0.0])
    torch.testing.assert_close(smooth(point)[0, 0], torch.outer(weights, weights))
