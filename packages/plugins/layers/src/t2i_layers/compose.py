"""Puts sprites on a background, each where its placements say. Lengths are shares of the picture's side."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

LEVELS = 3  # a sprite and its versions at half and a quarter of its sharpness


class Placements(NamedTuple):
    """Where the copies of each thing are: b pictures, p placements.

    Attributes:
        thing: whose placement it is.
        presence: how visible, in [0, 1].
        x, y: its centre, from the picture's centre to the right and down.
        side: of the square that the sprite fills.
        tilt: radians clockwise.
        mirrored: share of the mirror image, in [0, 1].
    """

    thing: Int[Tensor, p]
    presence: Float[Tensor, "b p"]
    x: Float[Tensor, "b p"]
    y: Float[Tensor, "b p"]
    side: Float[Tensor, "b p"]
    tilt: Float[Tensor, "b p"]
    mirrored: Float[Tensor, "b p"]


def compose(
    background: Float[Tensor, "b c"], sprites: Float[Tensor, "b t c_and_1 s s"], places: Placements, resolution: int
) -> Float[Tensor, "b c h w"]:
    """The picture: the background, then each thing's copies in order, later ones over earlier ones.

    Args:
        sprites: colours times opacity, then opacity in [0, 1].
    """
    (b, t, _, s, _), p = sprites.shape, len(places.thing)
    levels = torch.unflatten(torch.stack(_softened(sprites.flatten(0, 1)), 1), 0, (b, t))  # b t l 4 s s
    level = (s / (places.side.detach() * resolution)).clamp_min(1).log2().round().long().clamp_max(LEVELS - 1)
    chosen = levels[torch.arange(b, device=level.device)[:, None], places.thing, level]  # b p c+1 s s
    flipped = chosen.flip(-1)
    m = places.mirrored[..., None, None, None]
    chosen = chosen + m * (flipped - chosen)
    grid = _seen_at(places, resolution).flatten(0, 1)
    placed = F.grid_sample(chosen.flatten(0, 1), grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    placed = torch.unflatten(placed, 0, (b, p)) * places.presence[:, :, None, None, None]
    picture = background[:, :, None, None].expand(-1, -1, resolution, resolution)
    for layer in placed.unbind(1):
        picture = layer[:, :-1] + (1 - layer[:, -1:]) * picture
    return picture


def seen(sprites: Float[Tensor, "b t c s s"], places: Placements, resolution: int) -> Float[Tensor, "b t_and_1 h w"]:
    """Of each pixel, the share of each thing and, last, of the background: a picture whose colours are labels."""
    b, t = sprites.shape[:2]
    labels, opacity = torch.eye(t + 1, device=sprites.device), sprites[:, :, -1:]
    labelled = torch.cat([labels[:t, :, None, None] * opacity, opacity], 2)
    return compose(labels[t].expand(b, -1), labelled, places, resolution)


def overlap(places: Placements) -> Float[Tensor, b]:
    """The area that pairs of placements share, as a share of the picture, summed over pairs; a placement counts as far
    as it is visible. Gradients reach the presences alone: a copy that hides behind another is to vanish, not to move.
    """
    x, y, side = (numbers.detach() for numbers in (places.x, places.y, places.side))
    both = (side[:, :, None] + side[:, None]) / 2
    across, down = ((both - (n[:, :, None] - n[:, None]).abs()).clamp_min(0) for n in (x, y))
    pairs = across * down * places.presence[:, :, None] * places.presence[:, None]
    return pairs.triu(1).sum((1, 2))


def finer(numbers: Tensor) -> Tensor:
    """The numbers in float64 where the device has it. Functions such as cos round vectors and their last elements in
    different ways; rounded to float32 afterwards, they no longer depend on a picture's place in the batch."""
    return numbers if numbers.device.type == "mps" else numbers.double()


def _seen_at(places: Placements, resolution: int) -> Float[Tensor, "b p h w 2"]:
    """Which point of a sprite each pixel shows, in [-1, 1]: R^T (u - centre) / side, for a pixel at u."""
    line = torch.linspace(-1, 1, resolution + 1, device=places.x.device)
    across = (line[1:] + line[:-1]) / 2  # of the pixels' centres
    tilt = finer(places.tilt)
    numbers = (2 * places.x, 2 * places.y, places.side, tilt.cos().float(), tilt.sin().float())
    x, y, side, cos, sin = (n[:, :, None, None] for n in numbers)
    right, down = (across - x) / side, (across[:, None] - y) / side
    return torch.stack([cos * right + sin * down, cos * down - sin * right], -1)


def _softened(sprites: Float[Tensor, "n c s s"]) -> list[Float[Tensor, "n c s s"]]:
    found, smaller = [sprites], sprites
    for _ in range(LEVELS - 1):
        smaller = F.avg_pool2d(smaller, 2)
        found.append(F.interpolate(smaller, size=sprites.shape[2:], mode="bilinear", align_corners=False))
    return found
