"""An emoji's captions: its name, the name with an article, its skin tone in other words, its aliases."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from t2i_openmoji.naming import Name, flag_of, words


def _listed(text: str) -> frozenset[str]:
    return frozenset(" ".join(text.split()).split(", "))


# Last words of names that take no "a": uncountable nouns, and words that are no nouns.
_UNCOUNTABLE = _listed(
    """
    away, back, bacon, badminton, bread, breast-feeding, broccoli, butter, camping, construction,
    control, cooking, copyright, coral, custard, divide, dizzy, dna, down, fire, fog, foggy, food, fuji,
    garlic, hockey, ice, infinity, information, lacrosse, left, liquid, litter, locked, lowercase,
    luggage, mate, minus, money, multiply, oden, om, plus, polish, pong, popcorn, prohibited, racing,
    radioactive, registered, rice, right, sake, salt, soap, spaghetti, star-struck, sushi, tea, tennis,
    thread, together, unlocked, up, uppercase, voltage, volume, water, way, wireless, wood, yang, yarn,
    zzz
    """
)
# Aliases that are crude, misleading for the picture, or unusual abbreviations.
_UNSAID = _listed(
    """
    bangbang, bullettrain front, bullettrain side, city sunrise, compression, facepunch, feet, flags, gun,
    hankey, harambe, heartpulse, hocho, information desk person, koko, mag, mag right, mega, mens, metal,
    ng man, ng woman, reversed hand with middle finger extended, shit, tada, womens
    """
)
_COUNTABLE_FIRST = frozenset({"man", "woman", "person", "face", "head", "child"})
_NEVER = re.compile(r"^(?:keycap|no|input) |o'clock|-thirty$")
_CUT = re.compile(r" (?:with|without|of|in|on|at|from|behind|over|and|facing|pointing|showing|tilted) .*|,.*| \(.*")
_HAS_HAIR = re.compile(r" with (?:a beard|\w+ hair)$")
_AN = re.compile(r"^(?:[aeiou]|hour|x-ray|NG |SOS )", re.IGNORECASE)
_CONSONANT_SOUND = re.compile(r"^(?:euro|ewe\b|one\b|uni|ufo\b)", re.IGNORECASE)
_JUNK = re.compile(r"\d|\+|^(?!tv$|cd$).{0,2}$|^(?:lower left|medal) |^couplekiss| (?:left|right) pointing ")


def captions(name: Name, aliases: Iterable[str], taken: frozenset[str]) -> tuple[str, ...]:
    """All captions of one picture, without duplicates, the canonical one first.

    Args:
        name: the emoji's name.
        aliases: as the `emoji` distribution spells them, with colons and underscores.
        taken: `key`s of captions that belong to other emoji (their names, and aliases that two emoji share).
    """
    concept = name.concept
    forms = [concept, *with_article(concept)]
    if name.tones:
        skin = " and ".join(f"{tone} skin" for tone in name.tones)
        link = " and" if _HAS_HAIR.search(concept) else ", with" if "," in concept else " with"
        spoken = [f"{form}{link} {skin}" for form in forms]
        said = [name.canonical, *(f"{form}, {name.tone}" for form in forms[1:]), *spoken]
    else:
        said = forms
    for alias in alias_words(name, aliases):
        if key(alias) not in taken:
            said.append(alias)
    kept: dict[str, str] = {}
    for caption in said:
        kept.setdefault(key(caption), caption)
    return tuple(kept.values())


def alias_words(name: Name, aliases: Iterable[str]) -> list[str]:
    """The usable aliases: without country codes and numbered variants."""
    found = []
    for alias in aliases:
        said = words(alias.strip(":"))
        if name.is_flag:
            country = said.removeprefix("flag for ")
            if len(country) > 2 and country[0].isupper():
                found.append(flag_of(country))
        elif not _JUNK.search(said) and said not in _UNSAID:
            found.append(said)
    return found


def with_article(concept: str) -> list[str]:
    """A list with the concept with "a", "an" or "the"; empty if no article makes sense."""
    if concept.startswith("flag of "):
        return [f"the {concept}"]
    nouns = _CUT.sub("", concept).split(" ")
    head = nouns[-1].lower()
    proper = concept[0].isupper() and concept.split(" ")[-1][0].isupper() and concept != "T-Rex"
    plural = head.endswith("s") and not head.endswith(("ss", "us", "ros"))  # a rhinoceros is one
    plural = plural or nouns[0] in {"men", "women", "people"}
    countable = nouns[0] in _COUNTABLE_FIRST or not (plural or head in _UNCOUNTABLE)
    if proper or not countable or _NEVER.search(concept):
        return []
    return [f"{article(concept)} {concept}"]


def article(words: str) -> str:
    """ "a" or "an", by the sound of the first word."""
    return "an" if _AN.match(words) and not _CONSONANT_SOUND.match(words) else "a"


def key(caption: str) -> str:
    """The caption without case, accents and punctuation, to compare captions."""
    plain = unicodedata.normalize("NFKD", caption.casefold())
    return "".join(character for character in plain if character.isalnum() or character in "#*!")
