"""Samples scenes, without withheld combinations for training, and with them for tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from t2i_openmoji.world.colours import COLOURS
from t2i_openmoji.world.draws import Draws
from t2i_openmoji.world.scene import MAX_COUNT, Part, Relation, Scene, Skill
from t2i_openmoji.world.things import Cast, things

NOVELTY: dict[Skill, frozenset[str]] = {  # the withheld combinations in tests of a skill
    "object": frozenset(),
    "colour": frozenset({"colour"}),
    "count": frozenset({"count"}),
    "two objects": frozenset({"pair"}),
    "position": frozenset({"pair"}),
    "attribution": frozenset({"pair"}),
}
# Shares of the training pictures:
KINDS = {"object": 0.2, "colour": 0.28, "count": 0.18, "pair": 0.34}
RELATIONS: dict[Relation, float] = {"and": 0.25, "next to": 0.15, "left of": 0.3, "above": 0.3}
COLOURED_OF_TWO = {(True, True): 0.45, (True, False): 0.05, (False, True): 0.05, (False, False): 0.45}
COLOURED_OF_MANY = 0.5
SIZED, SIZED_PAIRS = 0.25, 0.08
BACKGROUND = 0.12


def training_scene(draws: Draws, among: Cast) -> Scene:
    """A scene without withheld combinations."""
    return _sampled(lambda draws: any_scene(draws, among), draws, frozenset())


def skill_scene(skill: Skill, draws: Draws, among: Cast, *, withheld: bool) -> Scene:
    """A scene that needs one skill; with `withheld`, exactly the skill's own kind of combination is withheld."""
    return _sampled(lambda draws: _scene_of(skill, draws, among), draws, NOVELTY[skill] if withheld else frozenset())


def _sampled(make: Callable[[Draws], Scene], draws: Draws, novelty: frozenset[str]) -> Scene:
    while True:
        scene = make(draws)
        if scene.withheld == novelty:
            return scene


def _scene_of(skill: Skill, draws: Draws, among: Cast) -> Scene:
    if skill in ("object", "colour"):
        return Scene((_part(draws, among, coloured=skill == "colour"),))
    if skill == "count":
        return Scene((_several(draws, among, coloured=False),))
    coloured = skill == "attribution"
    relation: Relation = draws.pick(("left of", "above") if skill == "position" else ("and", "next to"))
    return Scene(_two(draws, among, coloured, coloured), relation)


def any_scene(draws: Draws, among: Cast) -> Scene:
    """A scene with training's distribution, possibly with withheld combinations."""
    kind = draws.weighted(KINDS)
    relation: Relation = ""
    parts: tuple[Part, ...]
    if kind == "pair":
        parts, relation = _two(draws, among, *draws.weighted(COLOURED_OF_TWO)), draws.weighted(RELATIONS)
        if draws.chance(SIZED_PAIRS):
            sizes = draws.shuffled(("small", "big"))
            parts = tuple(replace(part, size=size) for part, size in zip(parts, sizes, strict=True))
    elif kind == "count":
        parts = (_several(draws, among, coloured=draws.chance(COLOURED_OF_MANY)),)
    else:
        part = _part(draws, among, coloured=kind == "colour")
        parts = (replace(part, size=draws.pick(("small", "big"))) if draws.chance(SIZED) else part,)
    background = ""
    if draws.chance(BACKGROUND):
        background = draws.pick([colour for colour in COLOURS if all(colour != part.shown_colour for part in parts)])
    return Scene(parts, relation, background)


def _part(draws: Draws, among: Cast, *, coloured: bool) -> Part:
    thing = draws.pick(among.colourable if coloured else among.all)
    return Part(thing.key, colour=draws.pick(COLOURS) if coloured else "")


def _several(draws: Draws, among: Cast, *, coloured: bool) -> Part:
    while True:
        part = _part(draws, among, coloured=coloured)
        if things()[part.thing].counted:
            return replace(part, count=draws.pick(range(2, MAX_COUNT + 1)))


def _two(draws: Draws, among: Cast, first_coloured: bool, second_coloured: bool) -> tuple[Part, Part]:
    """Two different things that do not both have the same given colour."""
    while True:
        first, second = (_part(draws, among, coloured=coloured) for coloured in (first_coloured, second_coloured))
        if first.thing != second.thing and (not first.colour or first.colour != second.colour):
            return first, second
