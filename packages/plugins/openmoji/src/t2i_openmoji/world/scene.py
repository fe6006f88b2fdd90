"""Scenes: what a caption says and its picture must show; and the combinations withheld from training."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from t2i_openmoji.world.things import things

Relation = Literal["", "and", "next to", "left of", "above"]
Skill = Literal["object", "colour", "count", "two objects", "position", "attribution"]
SKILLS: tuple[Skill, ...] = ("object", "colour", "count", "two objects", "position", "attribution")
WITHHELD = 0.1  # of the combinations, by a fixed hash
MAX_COUNT = 5
NUMBERS = ("no", "one", "two", "three", "four", "five")


@dataclass(frozen=True)
class Part:
    """One kind of thing in a scene.

    Attributes:
        thing: its key in `things()`.
        count: 1 to 5.
        colour: its colour word in the caption; "" if there is none, and it has its own colour.
        size: "small", "big", or "" if the caption says nothing about it.
    """

    thing: str
    count: int = 1
    colour: str = ""
    size: str = ""

    @property
    def shown_colour(self) -> str:
        """The colour it is drawn in; "" for a thing without a dominant fill."""
        return self.colour or things()[self.thing].colour


@dataclass(frozen=True)
class Scene:
    """Everything that a caption says.

    Attributes:
        parts: one or two kinds of things.
        relation: of the first part to the second: "left of" and "above" are ordered (the part on the right or below is
            the second), "next to" is on either side, "and" is anywhere; "" for one part.
        background: its colour word; "" is white.
    """

    parts: tuple[Part, ...]
    relation: Relation = ""
    background: str = ""

    @property
    def group(self) -> str:
        """What the picture shows, such as "1 red apple"; equal for scenes that look the same."""
        said = [
            " ".join(filter(None, (str(part.count), part.size, part.shown_colour, part.thing))) for part in self.parts
        ]
        if self.relation in ("and", "next to"):
            said.sort()
        background = f" on {self.background}" if self.background not in ("", "white") else ""
        return f" {self.relation} ".join(said) + background

    @property
    def skill(self) -> Skill:
        """The skill that drawing it needs, in the categories of GenEval (Ghosh et al. 2023, sec. 3)."""
        coloured = [part for part in self.parts if part.colour]
        if len(self.parts) == 1:
            return "count" if self.parts[0].count > 1 else "colour" if coloured else "object"
        if self.relation in ("left of", "above"):
            return "position"
        return "attribution" if coloured else "two objects"

    @property
    def withheld(self) -> frozenset[str]:
        """The kinds of its withheld combinations: "colour", "count", "pair"."""
        kinds = set()
        for part in self.parts:
            if part.colour and withheld_colour(part.thing, part.colour):
                kinds.add("colour")
            if withheld_count(part.thing, part.count):
                kinds.add("count")
        if len(self.parts) == 2 and withheld_pair(self.parts[0].thing, self.parts[1].thing):
            kinds.add("pair")
        return frozenset(kinds)


def withheld_colour(thing: str, colour: str) -> bool:
    """Whether the combination of thing and colour is withheld; a thing's own colour never is."""
    return colour != things()[thing].colour and _withheld("colour", thing, colour)


def withheld_count(thing: str, count: int) -> bool:
    """Whether the combination of thing and count is withheld; a single thing never is."""
    return count > 1 and _withheld("count", thing, str(count))


def withheld_pair(thing: str, other: str) -> bool:
    """Whether the combination of the two things is withheld, in any order."""
    return _withheld("pair", *sorted((thing, other)))


def _withheld(*names: str) -> bool:
    return fraction(*names) < WITHHELD


def fraction(*names: str) -> float:
    """A number in [0, 1) that only depends on the names."""
    return int.from_bytes(hashlib.sha256("|".join(names).encode()).digest()[:8], "big") / 2**64
