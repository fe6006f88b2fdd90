"""What a text mentions, for texts that did not come from a scene: OpenMoji's names, misspelt captions."""

from __future__ import annotations

import re
from functools import cache

from t2i_openmoji.world.colours import COLOURS
from t2i_openmoji.world.scene import MAX_COUNT, NUMBERS, withheld_colour, withheld_count, withheld_pair
from t2i_openmoji.world.things import things


def names_withheld(text: str) -> bool:
    """Whether a text mentions a thing together with a colour, a number or a thing that training never shows it with.

    Wherever in the text they are, so that it errs on the side of yes: "a red cat on a blue mat" mentions a blue cat.
    """
    names = {_of_name()[name] for name in _names_pattern().findall(text.lower())}
    words = set(re.findall(r"\w+", text.lower().replace("gray", "grey")))
    colours, counts = words.intersection(COLOURS), [n for n in range(2, MAX_COUNT + 1) if words & {str(n), NUMBERS[n]}]
    return any(
        any(withheld_colour(thing, colour) for colour in colours)
        or any(withheld_count(thing, count) for count in counts)
        or any(other != thing and withheld_pair(thing, other) for other in names)
        for thing in names
    )


@cache
def _of_name() -> dict[str, str]:
    """The thing that goes by each name, singular or plural."""
    return {
        name: thing.key
        for thing in things().values()
        for noun in thing.nouns
        for name in (noun.singular, noun.plural)
        if name
    }


@cache
def _names_pattern() -> re.Pattern[str]:
    longest_first = sorted(_of_name(), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b")
