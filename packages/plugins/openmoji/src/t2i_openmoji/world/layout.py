"""Chooses position, size, tilt and mirroring of a scene's things at random, where the caption leaves them open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from t2i_openmoji.world.draws import Draws
from t2i_openmoji.world.scene import Part, Scene
from t2i_openmoji.world.things import things

Cells = Sequence[tuple[float, float]]

TILT = 8.0  # degrees to either side
TILTED = 1.13  # the side of the box of a tilted square: cos + sin
SIDES = {"": (0.46, 0.72), "small": (0.24, 0.36), "big": (0.82, 0.88)}  # of a single thing
SIDES_OF_TWO = {"": (0.34, 0.44), "small": (0.2, 0.27), "big": (0.44, 0.52)}
APART, ASIDE = 0.24, 0.1  # of two things: distance from the centre along their relation, and largest distance across it
ARRANGEMENTS: dict[int, Sequence[tuple[float, Cells]]] = {  # largest side of each thing, centres
    2: (
        (0.43, ((0.26, 0.5), (0.74, 0.5))),
        (0.43, ((0.5, 0.26), (0.5, 0.74))),
        (0.42, ((0.27, 0.3), (0.73, 0.7))),
        (0.42, ((0.73, 0.3), (0.27, 0.7))),
    ),
    3: (
        (0.29, ((0.18, 0.5), (0.5, 0.5), (0.82, 0.5))),
        (0.4, ((0.27, 0.28), (0.73, 0.28), (0.5, 0.73))),
        (0.4, ((0.5, 0.27), (0.27, 0.72), (0.73, 0.72))),
        (0.28, ((0.19, 0.19), (0.5, 0.5), (0.81, 0.81))),
    ),
    4: (
        (0.41, ((0.27, 0.27), (0.73, 0.27), (0.27, 0.73), (0.73, 0.73))),
        (0.29, ((0.5, 0.18), (0.18, 0.5), (0.82, 0.5), (0.5, 0.82))),
    ),
    5: (
        (0.28, ((0.19, 0.19), (0.81, 0.19), (0.5, 0.5), (0.19, 0.81), (0.81, 0.81))),
        (0.29, ((0.18, 0.3), (0.5, 0.3), (0.82, 0.3), (0.33, 0.7), (0.67, 0.7))),
        (0.29, ((0.33, 0.3), (0.67, 0.3), (0.18, 0.7), (0.5, 0.7), (0.82, 0.7))),
    ),
}
JITTER = 0.01  # of the centres, if there are several things
USUAL_SIDES = {"": 0.7, "small": 0.34, "big": 0.88}  # of a single thing that stands as usual
USUAL_SIDES_OF_TWO = {"": 0.42, "small": 0.25, "big": 0.46}
USUAL_ARRANGEMENTS = {2: 0, 3: 1, 4: 0, 5: 0}  # which of `ARRANGEMENTS`
USUAL_JITTER = 0.03  # of the centres of things that stand as usual


@dataclass(frozen=True)
class Placement:
    """One drawing in the picture; lengths are shares of the picture's side, y points down.

    Attributes:
        thing: its key.
        colour: the new colour of its dominant fill; "" keeps its own.
        x, y: centre.
        side: of the square that contains it and that it fills in one direction.
        mirrored: left and right exchanged.
        tilt: degrees clockwise.
    """

    thing: str
    colour: str
    x: float
    y: float
    side: float
    mirrored: bool
    tilt: float


def arrange(scene: Scene, draws: Draws) -> tuple[Placement, ...]:
    """One placement per drawn thing, in the order of the scene's parts, without overlaps."""
    if len(scene.parts) == 2:
        return _two(scene, draws)
    [part] = scene.parts
    if part.count == 1:
        side = draws.between(*SIDES[part.size])
        free = 0.5 - TILTED * side / 2
        return (_placed(part, draws, 0.5 + draws.between(-free, free), 0.5 + draws.between(-free, free), side),)
    side, cells = draws.pick(ARRANGEMENTS[part.count])
    side *= draws.between(0.82, 1.0)
    return tuple(
        _placed(part, draws, x + draws.between(-JITTER, JITTER), y + draws.between(-JITTER, JITTER), side)
        for x, y in cells
    )


def arrange_as_usual(scene: Scene, draws: Draws) -> tuple[Placement, ...]:
    """As `arrange`, but upright, in the usual size and arrangement, and almost at the same places.

    Two choices are random: which of two things is where, if the caption does not say, and a shift of all of them
    together, by at most `USUAL_JITTER` to each side.
    """
    if len(scene.parts) == 2:
        upright, along = _line_of_two(scene, draws)
        cells: Cells = [(0.5, place) if upright else (place, 0.5) for place in along]
        placed = [(part, *cell, USUAL_SIDES_OF_TWO[part.size]) for part, cell in zip(scene.parts, cells, strict=True)]
    else:
        [part] = scene.parts
        if part.count == 1:
            placed = [(part, 0.5, 0.5, USUAL_SIDES[part.size])]
        else:
            side, cells = ARRANGEMENTS[part.count][USUAL_ARRANGEMENTS[part.count]]
            placed = [(part, *cell, side) for cell in cells]
    right, down = (draws.between(-USUAL_JITTER, USUAL_JITTER) for _ in range(2))
    return tuple(
        Placement(part.thing, part.colour, x + right, y + down, side, mirrored=False, tilt=0.0)
        for part, x, y, side in placed
    )


def _two(scene: Scene, draws: Draws) -> tuple[Placement, ...]:
    """Side by side or one above the other; the first is on the left or on top if the relation says so."""
    upright, places = _line_of_two(scene, draws)
    placements = []
    for part, along in zip(scene.parts, places, strict=True):
        across = 0.5 + draws.between(-ASIDE, ASIDE)
        x, y = (across, along) if upright else (along, across)
        placements.append(_placed(part, draws, x, y, draws.between(*SIDES_OF_TWO[part.size])))
    return tuple(placements)


def _line_of_two(scene: Scene, draws: Draws) -> tuple[bool, tuple[float, float]]:
    """Whether two things are one above the other, and where along that line the first and the second one are."""
    upright = scene.relation == "above" or (scene.relation == "and" and draws.chance(0.4))
    ordered = scene.relation in ("left of", "above") or draws.chance(0.5)
    before, after = 0.5 - APART, 0.5 + APART
    return upright, (before, after) if ordered else (after, before)


def _placed(part: Part, draws: Draws, x: float, y: float, side: float) -> Placement:
    mirrored = draws.chance(0.5) and things()[part.thing].mirrors
    return Placement(part.thing, part.colour, x, y, side, mirrored, draws.between(-TILT, TILT))
