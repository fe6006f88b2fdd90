"""Compares the detected things of a picture with the scene of its caption."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from t2i_metrics.skills.detector import Found
from t2i_openmoji.world.reading import read
from t2i_openmoji.world.scene import Relation, Scene
from t2i_openmoji.world.splits import entries

APART = 0.1  # share of the side: closer centres are neither left of nor above each other
PHRASING = {False: "seen phrasing", True: "unseen phrasing"}


@dataclass(frozen=True)
class Question:
    """The scene and skill that a caption asks for.

    Attributes:
        scene: what the picture must show.
        skill: "object", ..., or one of PHRASING for a scene that `test` has in both kinds of phrasing.
    """

    scene: Scene
    skill: str


def question_of(caption: str) -> Question | None:
    """The question of a caption; None if it does not describe a scene of openmoji-world in the words of its grammar.

    The test splits of openmoji-world give the skill of their captions; for others, it is what their scene needs.
    """
    known = _test().get(caption)
    if known is not None:
        return known
    scene = read(caption)
    return None if scene is None else Question(scene, scene.skill)


@cache
def _test() -> Mapping[str, Question]:
    return {
        entry.example.captions[0]: Question(
            entry.scene, PHRASING[entry.unseen] if entry.skill == "phrasing" else entry.skill
        )
        for split in ("everyday-test", "test")
        for entry in entries(split)
        if entry.scene is not None
    }


def shows(scene: Scene, found: Sequence[Found]) -> bool:
    """Whether a picture shows the scene: its things in their numbers and nothing else, in the colours and places that
    it names. Sizes, backgrounds and colours that the scene leaves open are not checked.
    """
    if Counter(each.thing for each in found) != Counter({part.thing: part.count for part in scene.parts}):
        return False
    if any(part.colour not in ("", each.colour) for part in scene.parts for each in found if each.thing == part.thing):
        return False
    if scene.relation not in ("left of", "above"):
        return True
    first, second = scene.parts
    pairs = ((a, b) for a in found for b in found if (a.thing, b.thing) == (first.thing, second.thing))
    return all(stands(a, b, scene.relation) for a, b in pairs)


def stands(first: Found, second: Found, relation: Relation) -> bool:
    """Whether the first is clearly left of the second, or above it; the larger of the two distances decides which."""
    right, below = second.x - first.x, second.y - first.y
    along, across = (right, below) if relation == "left of" else (below, right)
    return along > APART and along > abs(across)


def wilson(right: int, asked: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927): `right` of `asked`, at least one."""
    z = 1.959964
    share, weight = right / asked, z**2 / asked
    centre = (share + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(share * (1 - share) / asked + weight / (4 * asked))
    return max(0.0, centre - half), min(1.0, centre + half)
