"""Finds the things that a text mentions, for texts not generated from a scene: OpenMoji's names, typed sentences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from t2i_openmoji.world.colours import COLOURS
from t2i_openmoji.world.scene import MAX_COUNT, NUMBERS, withheld_colour, withheld_count, withheld_pair
from t2i_openmoji.world.things import things

LONGEST = 4  # words of a name
MARKS = ",.;:!?"


@dataclass(frozen=True)
class Mention:
    """A name in a text.

    Attributes:
        thing: the key of the thing.
        plural: whether the name is only a plural.
    """

    thing: str
    plural: bool


def mentions(text: str, *, synonyms: bool = False) -> tuple[str, list[Mention]]:
    """The text in lower case with every name, the longest first, replaced by <its number>; and the mentions.

    Args:
        synonyms: whether to know the things' synonyms, too.
    """
    known = _names(synonyms)
    words, place = text.lower().split(), 0
    marked: list[str] = []
    found: list[Mention] = []
    while place < len(words):
        for end in range(min(place + LONGEST, len(words)), place, -1):
            name = " ".join(words[place:end])
            if mention := known.get(name.rstrip(MARKS)):
                marked.append(f"<{len(found)}>{name[len(name.rstrip(MARKS)) :]}")
                found.append(mention)
                break
        else:
            end = place + 1
            marked.append(words[place])
        place = end
    return " ".join(marked), found


def names_withheld(text: str, *, synonyms: bool = False) -> bool:
    """Whether a text mentions a thing with a colour, a number or another thing whose combination is withheld.

    Their places in the text are ignored, so it may be True too often: "a red cat on a blue mat" mentions a blue cat.
    """
    marked, found = mentions(text, synonyms=synonyms)
    named = {mention.thing for mention in found}
    words = set(re.findall(r"\w+", re.sub(r"<\d+>", "", marked).replace("gray", "grey")))
    colours, counts = words.intersection(COLOURS), [n for n in range(2, MAX_COUNT + 1) if words & {str(n), NUMBERS[n]}]
    return any(
        any(withheld_colour(thing, colour) for colour in colours)
        or any(withheld_count(thing, count) for count in counts)
        or any(other != thing and withheld_pair(thing, other) for other in named)
        for thing in named
    )


@cache
def _names(synonyms: bool) -> Mapping[str, Mention]:
    nouns = [(t.key, noun) for t in things().values() for noun in (t.names if synonyms else t.nouns)]
    singular = {noun.singular: Mention(key, plural=False) for key, noun in nouns}
    return {noun.plural: Mention(key, plural=True) for key, noun in nouns if noun.counted} | singular
