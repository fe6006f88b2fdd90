"""An emoji's CLDR short name, as the `emoji` distribution spells it, as a concept and a skin tone."""

from __future__ import annotations

import re
from dataclasses import dataclass

TONES = ("light", "medium-light", "medium", "medium-dark", "dark")

_TONE = re.compile(r"_(medium-light|medium-dark|light|medium|dark)_skin_tone")
_HAIR = re.compile(r"^(man|woman|person)_(blond_hair|curly_hair|red_hair|white_hair|beard|bald)$")
_MEMBERS = {"man", "woman", "person", "adult", "boy", "girl", "child"}
_WOMAN_OR_MAN = re.compile(r"\b(?:wo)?man\b")
_WOMEN_OR_MEN = re.compile(r"\b(?:wo)?men\b")
_REGIONAL_INDICATORS = range(0x1F1E6, 0x1F200)
_TAGS = range(0xE0020, 0xE0080)

_WITH_THE = re.compile(
    r"Islands$|^United |Republic$|Territor|Lands$|Union$|^Isle of|"
    r"^(Bahamas|Caribbean Netherlands|Comoros|Gambia|Maldives|Netherlands|Philippines|Seychelles)$"
)


@dataclass(frozen=True)
class Name:
    """What an emoji is called.

    Attributes:
        concept: the name without skin tone, such as "woman firefighter" or "flag of Japan".
        tones: one of TONES for each person; empty for yellow figures and for things.
        is_flag: whether it is a country's or a region's flag.
    """

    concept: str
    tones: tuple[str, ...] = ()
    is_flag: bool = False

    @property
    def tone(self) -> str:
        """The tones in words: "dark skin tone", "dark skin tone, light skin tone", or ""."""
        return ", ".join(f"{tone} skin tone" for tone in self.tones)

    @property
    def figure(self) -> str:
        """The concept without its gender, because OpenMoji draws "cook" and "man cook" (almost) identically."""
        neutral = _WOMAN_OR_MAN.sub("person", _WOMEN_OR_MEN.sub("people", self.concept)).replace("older", "old")
        neutral = neutral.removesuffix(", person and person").replace("person and person", "people")
        return neutral.removeprefix("person ")

    @property
    def canonical(self) -> str:
        """The first caption: "woman firefighter, dark skin tone"."""
        return f"{self.concept}, {self.tone}" if self.tones else self.concept


def parse(symbol: str, short_name: str) -> Name:
    """The name of `symbol`, whose short name looks like ":woman_firefighter_dark_skin_tone:"."""
    bare = short_name.strip(":")
    tones = tuple(_TONE.findall(bare))
    bare = _TONE.sub("", bare)
    if is_flag(symbol):
        return Name(flag_of(words(bare)), is_flag=True)
    return Name(_concept(bare), tones)


def is_flag(symbol: str) -> bool:
    """Whether `symbol` is the flag of a country or a region, not a chequered or a rainbow one."""
    return ord(symbol[0]) in _REGIONAL_INDICATORS or any(ord(character) in _TAGS for character in symbol)


def flag_of(country: str) -> str:
    """A flag's concept: "flag of Japan", "flag of the Netherlands"."""
    return f"flag of the {country}" if _WITH_THE.search(country) else f"flag of {country}"


def words(bare: str) -> str:
    """A short name as words: "_" becomes a space, "&" becomes "and"."""
    return bare.replace("_", " ").replace("&", "and").replace("\u2019", "'")


def _concept(bare: str) -> str:
    if hair := _HAIR.match(bare):
        who, how = hair.groups()
        return f"bald {who}" if how == "bald" else f"{who} with {words('a_beard' if how == 'beard' else how)}"
    for start, link in (("family_", " of "), ("kiss_", ", "), ("couple_with_heart_", ", ")):
        people = bare.removeprefix(start).split("_")
        if bare.startswith(start) and _MEMBERS.issuperset(people):
            return f"{words(start[:-1])}{link}{', '.join(people[:-1])} and {people[-1]}"
    return words(bare)
