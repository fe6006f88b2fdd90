"""Where sprites land, against pictures made by slicing, flipping and rotating."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from t2i_layers.compose import Placements, compose, overlap, seen

SIDE = 16
WHITE = torch.ones(1, 3)


def place(**numbers: float) -> dict[str, float]:
    return {"presence": 1.0, "x": 0.0, "y": 0.0, "side": 0.5, "tilt": 0.0, "mirrored": 0.0} | numbers


def placements(*places: dict[str, Any], thing: tuple[int, ...] | None = None) -> Placements:
    columns = {name: torch.tensor([[one[name] for one in places]]) for name in places[0]}
    return Placements(torch.tensor(thing or (0,) * len(places)), **columns)


def sprite(side: int = 8) -> Tensor:
    """[1, 1, 4, side, side], opaque; no two pixels are alike."""
    torch.manual_seed(0)
    return torch.cat([torch.rand(1, 1, 3, side, side), torch.ones(1, 1, 1, side, side)], 2)


def test_a_sprite_of_fitting_side_is_copied_pixel_by_pixel() -> None:
    drawn = compose(WHITE, sprite(), placements(place()), SIDE)
    wanted = torch.ones(1, 3, SIDE, SIDE)
    wanted[:, :, 4:12, 4:12] = sprite()[:, 0, :3]
    torch.testing.assert_close(drawn, wanted)


def test_x_is_to_the_right_and_y_is_down() -> None:
    drawn = compose(WHITE, sprite(), placements(place(x=0.25, y=-0.125)), SIDE)
    torch.testing.assert_close(drawn[:, :, 2:10, 8:16], sprite()[:, 0, :3])


def test_mirrored_exchanges_left_and_right() -> None:
    drawn = compose(WHITE, sprite(), placements(place(mirrored=1.0)), SIDE)
    torch.testing.assert_close(drawn[:, :, 4:12, 4:12], sprite()[:, 0, :3].flip(-1))
    half = compose(WHITE, sprite(), placements(place(mirrored=0.5)), SIDE)
    torch.testing.assert_close(half, half.flip(-1))


def test_tilt_is_clockwise() -> None:
    drawn = compose(WHITE, sprite(), placements(place(tilt=math.pi / 2)), SIDE)
    wanted = sprite()[:, 0, :3].rot90(-1, (-2, -1))  # rot90 turns counter-clockwise
    torch.testing.assert_close(drawn[:, :, 4:12, 4:12], wanted, atol=1e-4, rtol=0)


def test_what_is_absent_is_not_seen() -> None:
    drawn = compose(WHITE, sprite(), placements(place(presence=0.0)), SIDE)
    assert torch.equal(drawn, torch.ones(1, 3, SIDE, SIDE))
    half = compose(WHITE, sprite(), placements(place(presence=0.5)), SIDE)
    torch.testing.assert_close(half[:, :, 4:12, 4:12], (sprite()[:, 0, :3] + 1) / 2)


def test_later_placements_cover_earlier_ones_and_show_their_own_thing() -> None:
    black, grey = (torch.cat([torch.full((1, 1, 3, 8, 8), v), torch.ones(1, 1, 1, 8, 8)], 2) for v in (-1.0, 0.0))
    sprites, both = torch.cat([black, grey], 1), (place(x=-0.25), place(x=-0.25))
    for thing, on_top in (((0, 1), 0.0), ((1, 0), -1.0)):
        drawn = compose(WHITE, sprites, placements(*both, thing=thing), SIDE)
        wanted = torch.ones(SIDE, SIDE)
        wanted[4:12, :8] = on_top
        torch.testing.assert_close(drawn[0, 0], wanted, atol=1e-5, rtol=0)


def test_a_small_sprite_keeps_its_mean() -> None:
    """A sprite of 32 px drawn on 8 px: without softening, single pixels would be picked."""
    checks = (torch.arange(32)[:, None] + torch.arange(32)).remainder(2) * 2.0 - 1
    sprites = torch.cat([checks.expand(1, 1, 3, 32, 32), torch.ones(1, 1, 1, 32, 32)], 2)
    drawn = compose(WHITE, sprites, placements(place()), SIDE)
    assert drawn[:, :, 6:10, 6:10].abs().max() < 1e-5


def test_seen_tells_the_share_of_each_thing_and_the_background() -> None:
    sprites = sprite().repeat(1, 2, 1, 1, 1)
    sprites[:, 1, 3] = 0.25  # the second thing is over the first, and lets most of it through
    shares = seen(sprites, placements(place(x=-0.25), place(x=-0.25), thing=(0, 1)), SIDE)
    torch.testing.assert_close(shares[0, :, 8, 4], torch.tensor([0.75, 0.25, 0]))
    torch.testing.assert_close(shares[0, :, 8, 14], torch.tensor([0.0, 0, 1]))


@pytest.mark.parametrize("name", ["presence", "x", "y", "side", "tilt", "mirrored"])
def test_gradients_reach_each_number(name: str) -> None:
    places = placements(place(x=0.05, y=0.03, side=0.6, tilt=0.1, mirrored=0.2, presence=0.7))
    number = getattr(places, name).requires_grad_()
    compose(WHITE, sprite(), places, SIDE).square().sum().backward()
    assert number.grad.abs().sum() > 0


def test_overlap_is_the_area_that_pairs_share() -> None:
    """Against squares of whole pixels that are counted."""
    apart = placements(place(x=-0.125, side=0.25), place(x=0.125, side=0.25), place(x=0.375, y=0.375, side=0.125))
    different = placements(place(x=-0.125, side=0.375), place(x=0.125, y=0.0625, side=0.375))
    counted = torch.zeros(2, 16, 16)
    counted[0, 5:11, 3:9] = counted[1, 6:12, 7:13] = 1
    assert overlap(different).item() == pytest.approx((counted[0] * counted[1]).mean().item())
    assert overlap(apart).item() == 0
    half = different._replace(presence=torch.tensor([[0.5, 1.0]]))
    assert overlap(half).item() == pytest.approx(overlap(different).item() / 2)


def test_only_presences_learn_from_overlap() -> None:
    numbers = {name: torch.full((1, 2), 0.3, requires_grad=True) for name in ("presence", "x", "y", "side")}
    flat = {name: torch.zeros(1, 2) for name in ("tilt", "mirrored")}
    overlap(Placements(torch.tensor([0, 0]), **numbers, **flat)).sum().backward()
    assert numbers["presence"].grad is not None and (numbers["presence"].grad > 0).all()
    assert all(numbers[name].grad is None for name in ("x", "y", "side"))
