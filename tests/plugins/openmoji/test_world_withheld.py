"""Training has no withheld combination or phrasing, by its scenes and by an independent reading of its captions."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

import pytest

from t2i_openmoji.world import splits
from t2i_openmoji.world.colours import COLOURS
from t2i_openmoji.world.dataset import OpenMojiWorld
from t2i_openmoji.world.mentions import mentions
from t2i_openmoji.world.phrasings import (
    FRAMES,
    LISTS,
    PAIRS,
    PROMPT_PAIRS,
    PROMPT_SENTENCES,
    PROMPTS,
    SENTENCES,
    withheld_phrasings,
)
from t2i_openmoji.world.sampling import NOVELTY
from t2i_openmoji.world.scene import withheld_colour, withheld_count, withheld_pair
from t2i_openmoji.world.splits import Entry
from t2i_openmoji.world.things import cast, things

NUMBERS = {"two": 2, "three": 3, "four": 4, "five": 5, "2": 2, "3": 3, "4": 4, "5": 5}
OWNER = {
    name: thing.key
    for thing in things().values()
    for noun in thing.nouns
    for name in (noun.singular, noun.plural)
    if name
}
OWNER_OF_SYNONYMS = OWNER | {
    name: thing.key
    for thing in things().values()
    for noun in thing.synonyms
    for name in (noun.singular, noun.plural)
    if name
}
COLOUR = "|".join(COLOURS)
NUMBER = "|".join(NUMBERS)
SIZE = "small|little|tiny|big|large|huge"
BACKGROUND = re.compile(rf" (?:on|in front of|with|against) an? (?:{COLOUR}) background| on (?:{COLOUR})\b")
BLACK_OUTLINES = "with black outlines"
NAMED = re.compile(r"<([^>]+)>")
BEFORE = re.compile(rf"\b({COLOUR}) (?:coloured )?<([^>]+)>")
PAIR_OF = re.compile(rf"\b(pairs? of) ({COLOUR}) (\w+)")
COUNTED = re.compile(rf"\b({NUMBER}) (?:(?:{SIZE}) )?(?:(?:{COLOUR}) )?(?:coloured )?<([^>]+)>")
MARKS = ",.?!;"


@pytest.fixture(scope="module")
def training() -> Sequence[Entry]:
    """Half of `train-100k`, and so all of `train`, and 10,000 entries of `prompts`; generated in another process
    without signature checks."""
    script = "import pickle, sys; from t2i_openmoji.world import splits\n"
    script += "splits.SIZES |= {'train': 1_000, 'train-100k': 50_000, 'prompts': 10_000}\n"
    script += "pickle.dump([splits.entries(name) for name in splits.SIZES if name != 'everyday'], sys.stdout.buffer)"
    made = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, check=True)
    shorter, longer, prompts = pickle.loads(made.stdout)
    assert (len(shorter), len(longer)) == (1_000, 50_000)
    assert longer[:1_000] == shorter
    return [*longer, *prompts]


@pytest.fixture(scope="module")
def texts(training: Sequence[Entry]) -> list[str]:
    return [
        marked(plain(caption), OWNER_OF_SYNONYMS if entry.example.id.startswith("prompts") else OWNER)
        for entry in training
        for caption in entry.example.captions
    ]


@pytest.fixture(scope="module")
def asked() -> list[Entry]:
    return list(OpenMojiWorld("test").entries)


def plain(caption: str) -> str:
    """The caption in lower case with one spelling of grey, and "a pair of red jeans" as "a red pair of jeans"."""
    text = caption.lower().rstrip(".").replace("gray", "grey")
    return PAIR_OF.sub(r"\2 \1 \3", text)


def marked(text: str, owner: Mapping[str, str] = OWNER) -> str:
    """The text with each name, the longest first, replaced by <the thing>: "draw two <cat>"."""
    words, found, place = text.split(" "), [], 0
    while place < len(words):
        for end in range(min(place + 4, len(words)), place, -1):
            name = " ".join(words[place:end])
            if name.rstrip(MARKS) in owner:
                found.append(f"<{owner[name.rstrip(MARKS)]}>{name[len(name.rstrip(MARKS)) :]}")
                break
        else:
            found.append(words[place])
            end = place + 1
        place = end
    return " ".join(found)


def combinations(text: str) -> Iterator[tuple[str, str, str | int]]:
    """(kind, thing, colour or count or other thing) of every combination in a marked caption."""
    text = BACKGROUND.sub("", text.replace(BLACK_OUTLINES, ""))
    named = list(dict.fromkeys(NAMED.findall(text)))
    for colour, thing in BEFORE.findall(text):
        yield "colour", thing, colour
    for number, thing in COUNTED.findall(text):
        yield "count", thing, NUMBERS[number]
    if len(named) == 1:
        for colour in set(re.findall(rf"\b(?:{COLOUR})\b", text)):
            yield "colour", named[0], colour
    for first, second in ((a, b) for a in named for b in named if a < b):
        yield "pair", first, second


def is_withheld(kind: str, thing: str, other: str | int) -> bool:
    if kind == "colour":
        return withheld_colour(thing, str(other))
    return withheld_count(thing, int(other)) if kind == "count" else withheld_pair(thing, str(other))


def test_a_tenth_of_the_combinations_is_withheld() -> None:
    keys = list(things())
    own = {key: thing.colour for key, thing in things().items()}
    colours = [withheld_colour(key, colour) for key in keys for colour in COLOURS if own[key] not in ("", colour)]
    counts = [withheld_count(key, count) for key in keys for count in range(2, 6)]
    pairs = [withheld_pair(a, b) for a in keys for b in keys if a < b]
    for decisions in (colours, counts, pairs):
        assert 0.085 < sum(decisions) / len(decisions) < 0.115
    assert not any(withheld_colour(key, colour) for key, colour in own.items() if colour)
    assert not any(withheld_count(key, 1) for key in keys)
    assert all(withheld_pair(a, b) == withheld_pair(b, a) for a in keys[::7] for b in keys[::5])


def test_no_scene_of_training_has_a_withheld_combination(training: Sequence[Entry]) -> None:
    scenes = [entry.scene for entry in training if entry.scene]
    assert len(scenes) == 54_000
    assert not any(scene.withheld for scene in scenes)


def test_no_caption_of_training_names_a_withheld_combination(texts: list[str]) -> None:
    found = {combination for text in texts for combination in combinations(text)}
    kinds = [kind for kind, _, _ in found]
    assert {kind: kinds.count(kind) > 1_500 for kind in set(kinds)} == {"colour": True, "count": True, "pair": True}
    assert not [combination for combination in found if is_withheld(*combination)]


def test_the_reader_finds_the_combinations_of_the_split_test(asked: list[Entry]) -> None:
    """Otherwise the test above would prove nothing."""
    entries = [entry for entry in asked if entry.skill in ("colour", "count", "two objects", "position")]
    captions = [marked(plain(entry.example.captions[0])) for entry in entries]
    unread = [caption for caption in captions if not any(is_withheld(*found) for found in combinations(caption))]
    assert len(entries) == 1_000
    assert len(unread) < 10, unread


def pattern(phrasing: str) -> re.Pattern[str]:
    """A regular expression of captions in this phrasing."""
    of_parts = any(phrasing in lists for lists in (*PAIRS.values(), *SENTENCES.values()))
    thing = rf"(?:(?:an?|one|some|{NUMBER}) )?(?:[a-z]+ ){{0,3}}?<[^>]+>"
    number = rf"(?:{NUMBER})"
    blanks = {"x": r"(?!to )\S.*\S", "a": thing, "b": thing, "n": number, "noun": r"\S.*", "colour": f"(?:{COLOUR})"}
    blanks |= {"a_colour": f"an? (?:{COLOUR})", "is": "(?:is|are)", "is_last": "(?:is|are)", "was": "(?:was|were)"}
    blanks |= {"do": "(?:do|does)", "it": "(?:it|them)", "its": "(?:its|their)"}
    escaped = re.sub(r"\\{(\w+)\\}", lambda match: blanks[match[1]], re.escape(phrasing))
    whole = phrasing in FRAMES or any(phrasing in sentences for sentences in SENTENCES.values())
    return re.compile(f"^{escaped}$" if whole else rf"(?:^|\b){escaped}(?:$|\b)" if of_parts else escaped)


def test_a_fifth_of_the_phrasings_is_withheld() -> None:
    total, withheld = sum(map(len, LISTS)), len(withheld_phrasings())
    assert total > 100
    assert 0.17 < withheld / total < 0.22
    assert all(phrasings[0] not in withheld_phrasings() for phrasings in LISTS)


@pytest.mark.parametrize("phrasing", sorted(withheld_phrasings()))
def test_no_caption_of_training_uses_a_withheld_phrasing(phrasing: str, texts: list[str]) -> None:
    literal = max(re.split(r"{\w+}", phrasing), key=len).strip()
    uses = [text for text in texts if literal in text and pattern(phrasing).search(text)]
    assert not uses, uses[:5]
    said = phrasing.format(
        x="a <cat>",
        a="a <cat>",
        b="a red <dog>",
        n="two",
        noun="<cat>",
        colour="red",
        **{"a_colour": "a red", "is": "is", "is_last": "is", "was": "was", "do": "does", "it": "it", "its": "its"},
    )
    assert pattern(phrasing).search(said), "the pattern is wrong: it finds nothing"


def test_prompts_have_words_around_them_that_name_nothing() -> None:
    others = {phrasing for phrasings in LISTS for phrasing in phrasings}
    of_two = (*PROMPT_PAIRS.values(), *PROMPT_SENTENCES.values())
    own = {*PROMPTS, *(phrasing for phrasings in of_two for phrasing in phrasings)}
    assert not own & others
    assert not [each for each in own | others if mentions(re.sub(r"{\w+}", "?", each), synonyms=True)[1]]


def test_single_pairs_and_several_are_parts_of_train_100k(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "SIZES", {"train-100k": 200})
    monkeypatch.setattr(splits, "entries", splits.entries.__wrapped__)  # do not cache 200 as all
    train = splits.entries("train-100k")
    scenes = [(entry, entry.scene) for entry in train if entry.scene]
    single = [entry for entry, scene in scenes if [part.count for part in scene.parts] == [1]]
    told = [entry for entry, scene in scenes if len(scene.parts) == 2 and scene.relation not in ("and", "next to")]
    several = [entry for entry, scene in scenes if len(scene.parts) == 1 and scene.parts[0].count > 1]
    for split, wanted in (("single", single), ("pairs", told), ("several", several)):
        assert splits.entries(split) == tuple(wanted)
        assert 20 < len(wanted) < 150


@pytest.mark.usefixtures("signatures_unchecked")  # of 40,000 entries
def test_parts_of_everyday_are_drawn_as_usual() -> None:
    everyday = splits.entries("everyday")
    for split, kinds in (("everyday-single", {(1,)}), ("everyday-pairs", {(1, 1)})):
        part = splits.entries(split)
        assert {*part} < {*everyday} and 5_000 < len(part) < 25_000
        assert {tuple(p.count for p in entry.scene.parts) for entry in part if entry.scene} == kinds
        assert all(entry.usual for entry in part)


def test_synonyms_occur_in_prompts_and_in_their_own_split_alone(training: Sequence[Entry], asked: list[Entry]) -> None:
    only = {*OWNER_OF_SYNONYMS} - {*OWNER}
    words = {"prompts": set[str](), "others": set[str]()}
    for entry in (*training, *asked):
        if entry.scene and not entry.code:
            marks = plain(entry.example.captions[0]).replace(",", " ").split(" ")
            words["prompts" if entry.example.id.startswith("prompts") else "others"].update(marks)
    single = {name for name in only if " " not in name and "-" not in name}
    assert len(single & words["prompts"]) > 300
    assert not single & words["others"] - {word for name in OWNER for word in name.split(" ")}
    synonyms = splits.entries("synonyms")
    assert len(synonyms) == sum(len(thing.synonyms) for thing in things().values()) > 450
    for entry in synonyms:
        assert entry.scene is not None and entry.skill == "object"
        assert [entry.scene.parts[0].thing] == [OWNER_OF_SYNONYMS[re.sub("^an? ", "", entry.example.captions[0])]]


@pytest.mark.usefixtures("signatures_unchecked")  # of 40,000 entries
def test_everyday_withholds_the_same_and_shows_seventy_things() -> None:
    training, asked = splits.entries("everyday"), splits.entries("everyday-test")
    keys = {thing.key for thing in cast(everyday=True).all}
    assert len(keys) == 70 and len(training) == 40_000
    for entries in (training, asked):
        assert {part.thing for entry in entries if entry.scene for part in entry.scene.parts} == keys
    assert not any(entry.scene is None or entry.scene.withheld for entry in training)
    texts = [marked(plain(entry.example.captions[0])) for entry in training[::8]]
    assert not [each for text in texts for each in combinations(text) if is_withheld(*each)]
    assert sum(bool(entry.code) for entry in training) == 4_000  # unchanged pictures
    for entry in asked:
        assert entry.scene is not None
        assert entry.skill in ("", "phrasing") or entry.scene.withheld == NOVELTY[entry.skill]
    assert len({entry.example.captions for entry in asked}) == len(asked) == 2400
