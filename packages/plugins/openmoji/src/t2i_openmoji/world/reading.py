"""Parses captions and typed sentences into scenes, the inverse of the grammar."""

from __future__ import annotations

import re
from functools import cache

from t2i_openmoji.world import phrasings
from t2i_openmoji.world.colours import COLOURS
from t2i_openmoji.world.grammar import SIZES
from t2i_openmoji.world.mentions import Mention, mentions
from t2i_openmoji.world.scene import MAX_COUNT, NUMBERS, Part, Relation, Scene

_COLOUR = "|".join(COLOURS)
_COUNTS = {word: count for count in range(1, MAX_COUNT + 1) for word in (str(count), NUMBERS[count])}
_SIZE_OF = {word: size for size, words in SIZES.items() for word in words}
_NOUN_PHRASE = re.compile(
    rf"(?:\b(?P<number>{'|'.join(_COUNTS)}|an?|some|the) )?(?:\b(?P<size>{'|'.join(_SIZE_OF)}) )?"
    rf"(?:\b(?P<before>{_COLOUR}) (?:coloured )?)?<(?P<mention>\d+)>"
    rf"(?: (?:that (?:is|are)|in|coloured|painted) (?P<after>{_COLOUR})\b(?! background))?"
)
_BACKGROUND = re.compile(rf",? (?:on|in front of|with|against) an? ({_COLOUR}) background| on ({_COLOUR})\b(?! <)")
_PAIR_OF = re.compile(rf"\b(pairs? of) ({_COLOUR}) ")
_BLANKS = {"a": r"<(?P<a>\d)>", "b": r"<(?P<b>\d)>", "it": "(?:it|them)", "its": "(?:its|their)"}
_BLANKS |= {"is": "(?:is|are)", "is_last": "(?:is|are)", "has": "(?:has|have)"}


def read(text: str) -> Scene | None:
    """The scene that a text describes in the grammar's phrasings, under any of the things' names and synonyms; other
    words around it are ignored.

    None if it names no known thing, more than two kinds, a plural without a number, or one kind twice. Two things
    without a known relation are read as "and".
    """
    text = text.lower().replace("gray", "grey").replace(" with black outlines", "")
    marked, found = mentions(_PAIR_OF.sub(r"\2 \1 ", text), synonyms=True)
    background = _BACKGROUND.search(marked)
    if background:
        marked = marked[: background.start()] + marked[background.end() :]
    parts: list[Part | None] = []

    def numbered(match: re.Match[str]) -> str:
        parts.append(_part(match, found[int(match["mention"])]))
        return f"<{len(parts) - 1}>"

    reduced = _NOUN_PHRASE.sub(numbered, marked)
    whole = [part for part in parts if part is not None]
    if len(whole) != len(parts) or len({part.thing for part in whole}) != len(parts) or len(parts) not in (1, 2):
        return None
    ground = next(filter(None, background.groups())) if background else ""
    if len(whole) == 1:
        return Scene(tuple(whole), "", ground)
    first, relation = _relation(reduced)
    return Scene((whole[first], whole[1 - first]), relation, ground)


def _part(match: re.Match[str], mention: Mention) -> Part | None:
    number = match["number"] or ""
    if mention.plural and number not in _COUNTS:
        return None
    colour = match["before"] or match["after"] or ""
    return Part(mention.thing, _COUNTS.get(number, 1), colour, _SIZE_OF.get(match["size"] or "", ""))


def _relation(reduced: str) -> tuple[int, Relation]:
    """The index of the scene's first part, and its relation to the other, by the longest phrasing that matches."""
    for pattern, relation in _relations():
        if match := pattern.search(reduced):
            return int(match["a"]), relation
    return 0, "and"


@cache
def _relations() -> tuple[tuple[re.Pattern[str], Relation], ...]:
    shapes = [
        (shape, relation)
        for lists in (phrasings.OF_PROMPTS.sentences, phrasings.OF_PROMPTS.pairs)
        for relation, shapes in lists.items()
        for shape in shapes
    ]
    longest_first = sorted(shapes, key=lambda shape: len(shape[0]), reverse=True)
    return tuple((_pattern(shape), relation) for shape, relation in longest_first)


def _pattern(shape: str) -> re.Pattern[str]:
    escaped = re.sub(r"\\{(\w+)\\}", lambda match: _BLANKS[match[1]], re.escape(shape))
    return re.compile(escaped)
