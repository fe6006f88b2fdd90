"""Prompts with variations: "a {red|blue} {house|castle}", nested too, and wildcards, __name__, from files.

A backslash escapes the next character. Variations are ordered by their choices from left to right; the last choice
changes first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from math import prod
from pathlib import Path

import numpy as np

from t2i.arguments import check_text, check_whole_number, shown
from t2i.drawing.prompts import read_prompts
from t2i.errors import InvalidInputError
from t2i.seeds import check_seeds

MOST_CHARACTERS, MOST_DEPTH, MOST_VARIATIONS = 10_000, 16, 100_000
WILDCARD = re.compile(r"__([\w-]+(?:/[\w-]+)*)__")


@dataclass(frozen=True, eq=False)
class Choice:
    """One of several parts."""

    options: tuple[Part, ...]

    @cached_property
    def count(self) -> int:
        """How many variations it has; kept, because a wildcard may be part of many others."""
        return sum(map(_count, self.options))


Part = str | Choice | tuple["Part", ...]
"""A text, a choice, or parts one after another."""


@dataclass(frozen=True)
class Template:
    """A parsed prompt with variations.

    Attributes:
        count: how many variations it has, equal ones included.
    """

    part: Part
    count: int

    @classmethod
    def parse(cls, text: str, wildcards: Path | None = None) -> Template:
        """Parse a template.

        Args:
            wildcards: the folder in which name.txt has the options of __name__, one a line.

        Raises:
            InvalidInputError: a brace has no partner, it is too long or too deep, or a wildcard has no file.
        """
        if not 0 < len(check_text(text, "A template").strip()) <= MOST_CHARACTERS:
            raise InvalidInputError(f"A template has 1 to {MOST_CHARACTERS:,} characters, got {len(text):,}.")
        part, end = _parse(text, 0, 0, Wildcards(wildcards))
        if end < len(text):
            raise InvalidInputError(
                f"The template {shown(text)} closes a brace that it does not open, at character {end + 1}. Write "
                f"\\}} for the brace itself."
            )
        return cls(part, _count(part))

    def all(self) -> Iterator[str]:
        """Every variation once, in order.

        Raises:
            InvalidInputError: there are more than MOST_VARIATIONS.
        """
        if self.count > MOST_VARIATIONS:
            raise InvalidInputError(
                f"At most {MOST_VARIATIONS:,} variations of a template are written, and this one has {self.count:,}. "
                f"Draw some of them at random: -n 100"
            )
        return iter(dict.fromkeys(_tidy(text) for text in _all(self.part)))

    def sample(self, count: int, seed: int = 0) -> list[str]:
        """`count` variations drawn at random, distinct as long as there are enough; the same for the same seed.

        Raises:
            InvalidInputError: an argument is outside its range.
        """
        check_whole_number(count, "The number of variations", 1, MOST_VARIATIONS)
        (seed,) = check_seeds([seed])
        stream = np.random.Generator(np.random.PCG64(seed))
        if self.count <= 4 * count:
            every = list(self.all())
            order = stream.permutation(len(every))
            return [every[order[number % len(every)]] for number in range(count)]
        found: dict[str, None] = {}
        for _ in range(16 * count):  # few are equal, because there are more than four times as many
            found[_tidy(_drawn(self.part, stream))] = None
            if len(found) == count:
                break
        return list(found)


@dataclass
class Wildcards:
    """A folder of options, each file of which is read once, however often templates name it."""

    folder: Path | None
    _known: dict[str, Choice | None] = field(default_factory=dict)

    def choice(self, name: str, depth: int) -> Choice:
        """The options of __name__.

        Raises:
            InvalidInputError: there is no such file, or it contains itself or a line that is not a template.
        """
        if self.folder is None:
            raise InvalidInputError(
                f"The template has the wildcard __{name}__. Say where its file is: --wildcards FOLDER"
            )
        if name not in self._known:
            self._known[name] = None  # being read
            self._known[name] = Choice(tuple(self._options(self.folder / f"{name}.txt", depth)))
        found = self._known[name]
        if found is None:
            raise InvalidInputError(f"The wildcard __{name}__ contains itself. Remove it from {name}.txt.")
        return found

    def _options(self, file: Path, depth: int) -> Iterator[Part]:
        for line in read_prompts(file):
            part, end = _parse(line, 0, depth + 1, self)
            if end < len(line):
                raise InvalidInputError(f"{file} has a line that is not a template: {shown(line)}.")
            yield part


def _parse(text: str, start: int, depth: int, wildcards: Wildcards) -> tuple[tuple[Part, ...], int]:
    """The parts from `start` to the end, or to a | or } of the enclosing choice; and the position of that end."""
    if depth > MOST_DEPTH:
        raise InvalidInputError(f"Choices may be nested {MOST_DEPTH} deep, got more in {shown(text)}.")
    parts: list[Part] = []
    place = start
    while place < len(text):
        letter = text[place]
        if letter == "\\" and place + 1 < len(text):
            parts.append(text[place + 1])
            place += 2
        elif letter == "{":
            choice, place = _choice(text, place, depth, wildcards)
            parts.append(choice)
        elif letter == "}" or (letter == "|" and depth):
            break
        elif letter == "_" and (match := WILDCARD.match(text, place)):
            parts.append(wildcards.choice(match[1], depth))
            place = match.end()
        else:
            parts.append(letter)
            place += 1
    return tuple(parts), place


def _choice(text: str, opened: int, depth: int, wildcards: Wildcards) -> tuple[Choice, int]:
    options: list[Part] = []
    place = opened
    while True:
        part, place = _parse(text, place + 1, depth + 1, wildcards)
        options.append(part)
        if place >= len(text):
            raise InvalidInputError(
                f"The template {shown(text)} opens a brace that it does not close, at character {opened + 1}. Write "
                f"\\{{ for the brace itself."
            )
        if text[place] == "}":
            return Choice(tuple(options)), place + 1


def _count(part: Part) -> int:
    if isinstance(part, str):
        return 1
    if isinstance(part, Choice):
        return part.count
    return prod(map(_count, part))


def _all(part: Part) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, Choice):
        for option in part.options:
            yield from _all(option)
    else:
        for texts in product(*(list(_all(each)) for each in part)):
            yield "".join(texts)


def _drawn(part: Part, stream: np.random.Generator) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Choice):
        return _drawn(part.options[stream.integers(len(part.options))], stream)
    return "".join(_drawn(each, stream) for each in part)


def _tidy(text: str) -> str:
    return " ".join(text.split())
