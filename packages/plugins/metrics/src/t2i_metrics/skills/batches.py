"""The batches of the detector's training: pictures with a map of centres, and the names and colours at them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from t2i_metrics.skills.detector import GRID
from t2i_metrics.skills.renders import Labelled, changed, labelled, to_images
from t2i_openmoji.world.colours import COLOURS
from t2i_openmoji.world.layout import Placement
from t2i_openmoji.world.things import things

SIZE = 64  # pictures of a batch
FRESH, RECENT = 24, 4_096  # new pictures of a batch; the others are chosen from this many recent ones
CHANGED = 0.7  # share of the pictures that are changed
SEED = 0
UNNAMED = -1  # the colour of a thing that has its own


@dataclass(frozen=True)
class Batch:
    """b pictures and k things in them.

    Attributes:
        images: in [-1, 1].
        heat: 1 at the centres of things, decreasing around them.
        picture: of each thing.
        x, y: of each thing, as shares of the side.
        thing, colour: their numbers; UNNAMED for its own colour.
    """

    images: Float[Tensor, "b 3 64 64"]
    heat: Float[Tensor, "b 16 16"]
    picture: Int[Tensor, " k"]
    x: Float[Tensor, " k"]
    y: Float[Tensor, " k"]
    thing: Int[Tensor, " k"]
    colour: Int[Tensor, " k"]


def batches(steps: range) -> Iterator[Batch]:
    """The batch of each step; the next one is drawn in the background."""
    with ThreadPoolExecutor(1) as pool:
        coming = [pool.submit(make_batch, step) for step in steps[:1]]
        for step in steps:
            batch = coming.pop().result()
            if step + 1 in steps:
                coming.append(pool.submit(make_batch, step + 1))
            yield batch


def make_batch(step: int) -> Batch:
    """The pictures and labels of a step: FRESH new pictures, and some of the RECENT ones, changed in other ways."""
    stream = torch.Generator().manual_seed((SEED << 32) + step)
    first = step * FRESH
    again = first - 1 - torch.randint(min(first, RECENT), (SIZE - FRESH,), generator=stream) if step else None
    numbers = [*range(first, first + FRESH), *(again.tolist() if again is not None else range(-SIZE + FRESH, 0))]
    drawn = [_labelled(number) for number in numbers]
    images = to_images([each.pixels for each in drawn])
    chosen = torch.rand(SIZE, generator=stream) < CHANGED
    images[chosen] = changed(images[chosen], stream)
    return Batch(images, *labels(drawn, stream))


@lru_cache(maxsize=2 * RECENT)
def _labelled(number: int) -> Labelled:
    return labelled(str(number))


def labels(drawn: Sequence[Labelled], stream: torch.Generator) -> tuple[Tensor, ...]:
    """Heat; and of each thing its picture, x, y, name and colour, as in Batch.

    Names are also learned at places near the centre, because a peak may be off by one cell.
    """
    keys = {key: number for number, key in enumerate(things())}
    heat = torch.stack([_heat(picture.placed) for picture in drawn])
    rows = [
        (
            number,
            placed.x,
            placed.y,
            len(keys) if picture.blended else keys[placed.thing],
            UNNAMED if picture.blended or not placed.colour else COLOURS.index(placed.colour),
        )
        for number, picture in enumerate(drawn)
        for placed in picture.placed
    ]
    picture, x, y, thing, colour = (torch.tensor(column) for column in zip(*rows, strict=True))
    off = torch.randn(2, len(rows), generator=stream) * 0.4 / GRID
    return heat, picture, x + off[0], y + off[1], thing, colour


def _heat(placed: Sequence[Placement]) -> Float[Tensor, "16 16"]:
    """1 in the cell of each centre, and around it a Gaussian as wide as the thing."""
    at = (torch.arange(GRID) + 0.5) / GRID
    heat = torch.zeros(GRID, GRID)
    for each in placed:
        width = 0.35 / GRID + 0.07 * each.side
        across, down = ((-((at - place) ** 2) / (2 * width**2)).exp() for place in (each.x, each.y))
        heat = torch.maximum(heat, (down[:, None] * across[None, :]).clamp(max=0.99))
    for each in placed:
        row, column = (min(max(int(place * GRID), 0), GRID - 1) for place in (each.y, each.x))
        heat[row, column] = 1
    return heat
