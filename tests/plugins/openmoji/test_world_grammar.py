"""The captions of openmoji-world, compared with `inflect` and with their scenes."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from t2i_openmoji.captions import article
from t2i_openmoji.world.colours import COLOURS
from t2i_openmoji.world.draws import Draws
from t2i_openmoji.world.grammar import disguise, put_into_words
from t2i_openmoji.world.phrasings import LISTS
from t2i_openmoji.world.sampling import training_scene
from t2i_openmoji.world.scene import Part, Scene
from t2i_openmoji.world.things import Noun, cast, things

COUNTABLE = [noun for thing in things().values() for noun in thing.names if noun.counted]
NOT_INFLECTS = {  # plurals that people write, where inflect has others
    "dino": "dinos",
    "peafowl": "peafowl",
    "egg in a pan": "eggs in a pan",
    "stick of butter": "sticks of butter",
    "onigiri": "onigiri",
    "stiletto": "stilettos",
    "biro": "biros",
    "yoyo": "yoyos",
    "father christmas": "father christmases",
    "dice": "dice",
    "thumbs-up": "thumbs-up",
}
APPLE = Scene((Part("apple"),))
STRAWBERRIES = Scene((Part("strawberry", 3),))


def captions(scene: Scene, number: int = 300, *, unseen: bool = False) -> set[str]:
    return {put_into_words(scene, Draws(f"test {each}"), unseen=unseen).text for each in range(number)}


def test_there_are_over_400_things_with_unique_names() -> None:
    names = [name for t in things().values() for n in t.names for name in {n.singular, n.plural} - {""}]
    assert len(things()) >= 400
    assert [name for name in {*names} if names.count(name) > 1] == ["dice"]  # of "die", and what most people say
    assert not {word for name in names for word in name.split()} & {*COLOURS, "gray", "left", "right", "above"}
    assert sum(bool(thing.colour) for thing in things().values()) > 400
    assert {thing.colour for thing in things().values()} - {""} == set(COLOURS)


def test_plurals_and_articles_are_those_of_inflect() -> None:
    import inflect  # takes seconds

    english = inflect.engine()
    plurals = {noun.singular: noun.plural for noun in COUNTABLE}
    assert plurals == {singular: english.plural_noun(singular) for singular in plurals} | NOT_INFLECTS
    articles = {noun.singular: article(noun.singular) for noun in COUNTABLE}
    assert articles == {singular: english.an(singular).split(" ")[0] for singular in articles}
    assert {colour: article(colour) for colour in COLOURS} == {c: english.an(c).split(" ")[0] for c in COLOURS}


def test_phrasings() -> None:
    phrasings = [phrasing for phrasings in LISTS for phrasing in phrasings]
    assert len(phrasings) == len(set(phrasings)) > 100
    for phrasing in phrasings:
        blanks = {name for _, name, _, _ in Formatter().parse(phrasing) if name}
        assert blanks >= {"x"} or blanks >= {"a", "b"} or blanks >= {"noun", "colour"} or blanks >= {"noun", "n"}


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        (APPLE, {"apple", "an apple", "one apple", "draw me an apple", "there is an apple", "here is an apple"}),
        (STRAWBERRIES, {"three strawberries", "3 strawberries", "there are three strawberries"}),
        (STRAWBERRIES, {"there is a set of three strawberries"}),
        (Scene((Part("apple", 1, "orange"),)), {"an orange apple", "an apple that is orange", "draw an orange apple"}),
        (Scene((Part("apple", 1, "", "small"),)), {"a small apple", "a little apple", "a tiny apple"}),
        (Scene((Part("loaf of bread", 1, "blue"),)), {"blue bread", "some blue bread", "a blue loaf of bread"}),
        (Scene((Part("pair of scissors", 1, "red"),)), {"a pair of red scissors", "there are red scissors"}),
        (Scene((Part("pair of jeans", 2),)), {"two pairs of jeans"}),
        (Scene((Part("apple"),), "", "orange"), {"an apple on an orange background", "an apple on orange"}),
        (
            Scene((Part("cat"), Part("dog")), "left of"),
            {"a cat left of a dog", "a dog right of a cat", "to the left of a dog there is a cat", "cat left of dog"},
        ),
        (
            Scene((Part("pair of gloves"), Part("dog")), "above"),
            {"a dog beneath some gloves", "gloves are above a dog", "a dog beneath a pair of gloves"},
        ),
        (
            Scene((Part("cat", 1, "red"), Part("dog", 1, "blue")), "and"),
            {"a red cat and a blue dog"},
        ),
    ],
)  # fmt: skip
def test_possible_captions(scene: Scene, expected: set[str]) -> None:
    assert expected <= captions(scene, 4_000)


def test_captions_have_no_grammar_errors() -> None:
    """No caption of 3,000 scenes has a wrong article, agreement, number or colour."""
    for number in range(3_000):
        draws = Draws(f"test grammar {number}")
        scene = training_scene(draws, cast())
        text = put_into_words(scene, draws).text
        assert not re.search(r"\ba [aeio]|\ban [^aeiouh]|[{}_]|  |\b(\w+) \1\b", text.replace("a one", "")), text
        assert not re.search(
            r"\b(?:two|three|four|five|[2-5]) (?:are|is)\b|\bthere are an? |\bthere is (?:two|[3-5])", text
        ), text
        spoken = text.replace("with black outlines", "").replace("gray", "grey")
        said = [word for word in re.findall(r"\w+", spoken) if word in COLOURS]
        wanted = [part.colour for part in scene.parts if part.colour] + [scene.background] * bool(scene.background)
        assert sorted(said) == sorted(wanted), text


@pytest.mark.parametrize("noun", [Noun("apple", "apples"), Noun("bread", "")])
def test_countable_things(noun: Noun) -> None:
    assert noun.counted == (noun.singular == "apple")


def test_withheld_phrasings_differ_from_seen_ones() -> None:
    scene = Scene((Part("cat", 1, "red"), Part("dog", 1, "blue")), "left of")
    assert not captions(scene, 2_000) & captions(scene, 2_000, unseen=True)


def test_disguises_keep_the_words() -> None:
    text = "draw a strawberry to the left of an elephant"
    disguised = [disguise(text, Draws(f"test disguise {number}")) for number in range(2_000)]
    kept = [each for each in disguised if each.lower().rstrip(".") == text]
    assert 0.91 < len(kept) / 2_000 < 0.97
    assert {text, text.upper(), text.capitalize(), f"{text.capitalize()}."} == set(kept)
    for misspelt in set(disguised) - set(kept):
        words = misspelt.lower().rstrip(".").split()
        changed = [(new, old) for new, old in zip(words, text.split(), strict=True) if new != old]
        [(new, old)] = changed
        assert (new[0], new[-1]) == (old[0], old[-1])
        assert set(new) <= set(old)
