"""What a caption says and a picture must show, as data; and which of it training never sees."""

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
        count: how many of it, 1 to 5.
        colour: the colour word said of it; "" where none is, and it has its own.
        size: "small", "big" or "" where nothing is said.
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
    """All that a caption says.

    Attributes:
        parts: one or two kinds of things.
        relation: how the first part stands to the second: "left of" and "above" have an order, "next to" is either
            side, "and" is anywhere; "" where there is one part. What is right of or below comes second.
        background: the colour word said of it; "" is white.
    """

    parts: tuple[Part, ...]
    relation: Relation = ""
    background: str = ""

    @property
    def group(self) -> str:
        """What the picture shows, in words: the same for scenes that cannot be told apart, such as "1 red apple"."""
        said = [
            " ".join(filter(None, (str(part.count), part.size, part.shown_colour, part.thing))) for part in self.parts
        ]
        if self.relation in ("and", "next to"):
            said.sort()
        background = f" on {self.background}" if self.background not in ("", "white") else ""
        return f" {self.relation} ".join(said) + background

    @property
    def skill(self) -> Skill:
        """What it takes to draw it, in GenEval's words (Ghosh et al. 2023, sec. 3)."""
        coloured = [part for part in self.parts if part.colour]
        if len(self.parts) == 1:
            return "count" if self.parts[0].count > 1 else "colour" if coloured else "object"
        if self.relation in ("left of", "above"):
            return "position"
        return "attribution" if coloured else "two objects"

    @property
    def withheld(self) -> frozenset[str]:
        """Which kinds of its combinations training never shows: "colour", "count", "pair"."""
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
    """Whether training never asks for this thing in this colour; never so of the colour it has anyhow."""
    return colour != things()[thing].colour and _withheld("colour", thing, colour)


def withheld_count(thing: str, count: int) -> bool:
    """Whether training never asks for so many of this thing; never so of a single one."""
    return count > 1 and _withheld("count", thing, str(count))


def withheld_pair(thing: str, other: str) -> bool:
    """Whether training never asks for these two things together, in whatever order."""
    return _withheld("pair", *sorted((thing, other)))


def _withheld(*names: str) -> bool:
    return fraction(*names) < WITHHELD


def fraction(*names: str) -> float:
    """A number in [0, 1) that depends on the names alone."""
    return int.from_bytes(hashlib.sha256("|".join(names).encode()).digest()[:8], "big") / 2**64
