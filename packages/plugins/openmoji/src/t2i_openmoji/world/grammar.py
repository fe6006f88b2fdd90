"""Captions of scenes: noun phrases with articles and plurals, inserted into a phrasing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from t2i_openmoji.captions import article
from t2i_openmoji.world import phrasings
from t2i_openmoji.world.draws import Draws
from t2i_openmoji.world.mentions import names_withheld
from t2i_openmoji.world.phrasings import Wording
from t2i_openmoji.world.scene import NUMBERS, Part, Scene
from t2i_openmoji.world.things import Noun, things

SIZES = {"small": ("small", "little", "tiny"), "big": ("big", "large", "huge")}
# Shares of the captions, or of the parts of a scene:
BARE = 0.12  # "red apple" instead of "a red apple", and no frame
UNFRAMED = 0.25  # only "a red apple"
SENTENCES = 0.25  # two things in a complete sentence
PLAIN = 0.7  # "a red apple" and "three apples" rather than "an apple that is red"
SYNONYM = 0.6  # where synonyms are asked for, and the thing has some
FIRST_NAME = 0.5  # a thing's first name; otherwise any of its nouns
DIGITS = 0.15  # "3" instead of "three"
GRAY = 0.3  # instead of "grey"
ONE = 0.05  # instead of "a"
SOME = 0.4  # "some bread" instead of "bread"
# Shares of the training captions:
UPPER, FULL_STOP, CAPITAL, TYPO = 0.04, 0.12, 0.12, 0.06
MISSPELT_LENGTH = 6  # at least so many letters: a typo hardly ever turns such a word into another one


@dataclass(frozen=True)
class Caption:
    """The caption of a scene.

    Attributes:
        text: lower case, no full stop.
        phrasings: the members of the lists in `phrasings` that it uses.
    """

    text: str
    phrasings: frozenset[str]

    @property
    def unseen(self) -> bool:
        """Whether it uses a phrasing that is withheld from training."""
        return not self.phrasings.isdisjoint(phrasings.withheld_phrasings())


def put_into_words(
    scene: Scene,
    draws: Draws,
    *,
    unseen: bool = False,
    wording: Wording = phrasings.USUAL,
) -> Caption:
    """A caption that says everything about `scene` and nothing else.

    Args:
        unseen: use at least one phrasing that training never uses; otherwise none.
        wording: what it is made of; a quarter of the captions have no frame.
    """
    while True:
        caption = _Writer(scene, draws, wording, withheld_too=unseen).write()
        if caption.unseen == unseen:
            return caption


def disguise(text: str, draws: Draws, *, synonyms: bool = False) -> str:
    """The caption as a person might type it: in upper case, as a sentence, or with a typo."""
    if draws.chance(TYPO):
        misspelt = _misspelt(text, draws)
        text = (
            text if names_withheld(misspelt, synonyms=synonyms) else misspelt
        )  # a "pink brokn heart" would be a pink heart
    style = draws.weighted({"upper": UPPER, "stop": FULL_STOP, "capital": CAPITAL, "": 1 - UPPER - FULL_STOP - CAPITAL})
    if style == "upper":
        return text.upper()
    if style:
        text = text[0].upper() + text[1:]
    return f"{text}." if style == "stop" and text[-1].isalpha() else text


@dataclass(frozen=True)
class _NounPhrase:
    """A noun phrase, and whether its verb is in the plural."""

    text: str
    plural: bool


class _Writer:
    """Chooses the words of one caption and records the phrasings it used."""

    def __init__(self, scene: Scene, draws: Draws, wording: Wording, *, withheld_too: bool) -> None:
        self._scene, self._draws, self._wording, self._withheld_too = scene, draws, wording, withheld_too
        self._bare = draws.chance(BARE)
        self._used: list[str] = []

    def write(self) -> Caption:
        draws, scene = self._draws, self._scene
        parts = [self._part(part) for part in scene.parts]
        if len(parts) == 2 and not scene.background and not self._bare and draws.chance(SENTENCES):
            return self._caption(self._joined(self._wording.sentences[scene.relation], parts).text)
        everything = self._joined(self._wording.pairs[scene.relation], parts) if len(parts) == 2 else parts[0]
        text = everything.text
        if scene.background:
            colour = self._spelt(scene.background)
            shape = self._choose(phrasings.BACKGROUNDS)
            text = shape.format(x=text, colour=colour, a_colour=f"{article(colour)} {colour}")
        plain = self._bare or draws.chance(UNFRAMED)
        frame = self._note(phrasings.FRAMES[0]) if plain else self._choose(self._wording.frames)
        return self._caption(frame.format(x=text, **_agreeing(everything.plural)))

    def _part(self, part: Part) -> _NounPhrase:
        """One part with its number or article, size and colour."""
        draws = self._draws
        thing = things()[part.thing]
        nouns, synonyms = (self._usable(names, part) for names in (thing.nouns, thing.synonyms))
        if self._wording.synonyms and synonyms and draws.chance(SYNONYM):
            noun = draws.pick(synonyms)
        else:
            noun = nouns[0] if draws.chance(FIRST_NAME) else draws.pick(nouns)
        words = noun.singular if part.count == 1 else noun.plural
        plural = part.count > 1 or (not noun.counted and noun.singular.endswith("s"))
        if part.colour:
            words = self._coloured(words, self._spelt(part.colour), plural)
        if part.size:
            words = f"{draws.pick(SIZES[part.size])} {words}"
        if part.count > 1:
            return self._counted(words, part.count)
        return _NounPhrase(self._determined(words, noun), plural)

    @staticmethod
    def _usable(names: Sequence[Noun], part: Part) -> list[Noun]:
        return [noun for noun in names if noun.counted or part.count == 1]

    def _coloured(self, words: str, colour: str, plural: bool) -> str:
        plainest = phrasings.COLOURED[0]
        plain = len(self._scene.parts) > 1 or self._draws.chance(PLAIN)
        shape = self._note(plainest) if plain else self._choose(phrasings.COLOURED)
        head, of, rest = words.partition(" of ")
        if shape == plainest and head in ("pair", "pairs"):
            return f"{head}{of}{colour} {rest}"  # a pair of red jeans
        return shape.format(noun=words, colour=colour, **_agreeing(plural))

    def _counted(self, words: str, count: int) -> _NounPhrase:
        plain = len(self._scene.parts) > 1 or self._draws.chance(PLAIN)
        shape = self._note(phrasings.COUNTED[0]) if plain else self._choose(phrasings.COUNTED)
        number = str(count) if self._draws.chance(DIGITS) else NUMBERS[count]
        return _NounPhrase(shape.format(n=number, noun=words), plural=not shape.startswith("a "))

    def _determined(self, words: str, noun: Noun) -> str:
        if self._bare:
            return words
        if not noun.counted:
            return f"some {words}" if self._draws.chance(SOME) else words
        return f"one {words}" if self._draws.chance(ONE) else f"{article(words)} {words}"

    def _joined(self, shapes: tuple[str, ...], parts: Sequence[_NounPhrase]) -> _NounPhrase:
        """Two parts in a phrasing; the verb agrees with the part that comes first."""
        shape = self._choose(shapes)
        first = parts[0] if shape.find("{a}") < shape.find("{b}") else parts[1]
        second = parts[1] if first is parts[0] else parts[0]
        agreeing = _agreeing(first.plural) | {f"{verb}_last": said for verb, said in _agreeing(second.plural).items()}
        return _NounPhrase(shape.format(a=parts[0].text, b=parts[1].text, **agreeing), first.plural)

    def _choose(self, options: tuple[str, ...]) -> str:
        return self._note(self._draws.pick(options if self._withheld_too else phrasings.seen(options)))

    def _note(self, phrasing: str) -> str:
        self._used.append(phrasing)
        return phrasing

    def _spelt(self, colour: str) -> str:
        return "gray" if colour == "grey" and self._draws.chance(GRAY) else colour

    def _caption(self, text: str) -> Caption:
        return Caption(text, frozenset(self._used))


def _agreeing(plural: bool) -> dict[str, str]:
    """The verbs and pronouns of the phrasings, in the singular or plural."""
    if plural:
        return {"is": "are", "was": "were", "has": "have", "do": "do", "it": "them", "its": "their"}
    return {"is": "is", "was": "was", "has": "has", "do": "does", "it": "it", "its": "its"}


def _misspelt(text: str, draws: Draws) -> str:
    """The text with two inner letters of a long word swapped, or one left out."""
    words = text.split(" ")
    long = [place for place, word in enumerate(words) if len(word) >= MISSPELT_LENGTH and word.isalpha()]
    if not long:
        return text
    place = draws.pick(long)
    word = words[place]
    at = draws.pick(range(1, len(word) - 2))
    rest = word[at + 1] + word[at] if draws.chance(0.5) else word[at]
    words[place] = word[:at] + rest + word[at + 2 :]
    return " ".join(words)
