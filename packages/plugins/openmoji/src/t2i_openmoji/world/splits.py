"""The splits' scenes and captions, one entry per picture, the same on every machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from t2i.data.dataset import Example
from t2i_openmoji.captions import article
from t2i_openmoji.dataset import OpenMoji
from t2i_openmoji.world import phrasings
from t2i_openmoji.world.draws import Draws
from t2i_openmoji.world.grammar import disguise, put_into_words
from t2i_openmoji.world.mentions import names_withheld
from t2i_openmoji.world.phrasings import Wording
from t2i_openmoji.world.sampling import skill_scene, training_scene
from t2i_openmoji.world.scene import SKILLS, Part, Scene, Skill
from t2i_openmoji.world.things import Cast, Noun, cast

SIZES = {"train": 40_000, "train-100k": 100_000, "everyday": 40_000, "prompts": 40_000}
QUESTIONS_A_SKILL = 250  # in `test`
REWORDED = 450  # scenes in `test` with two captions: in a phrasing of training, and in a withheld one
VARIED, EACH = 150, 4  # captions in `varied`, and pictures of each
PLAIN = 10  # every tenth training picture is an unchanged OpenMoji picture
FRAMED = 0.6  # share of their captions with an article that get a frame


@dataclass(frozen=True)
class Entry:
    """One picture and its caption.

    Attributes:
        example: the example of the dataset.
        scene: what the picture must show; None for an OpenMoji picture that need not be one of `things()`.
        code: of an unchanged OpenMoji picture; "" for a composed one.
        skill: the skill that `test` checks with it; "phrasing" if only the wording differs; "" outside `test`.
        unseen: whether the caption's phrasing is withheld from training.
        usual: whether its things stand upright and at their usual places (`layout.arrange_as_usual`).
    """

    example: Example
    scene: Scene | None
    code: str = ""
    skill: Skill | Literal["phrasing", ""] = ""
    unseen: bool = False
    usual: bool = False

    @property
    def stream(self) -> str:
        """The name of the random stream of its picture."""
        return f"openmoji-world {self.example.id} picture"


@cache
def entries(split: str) -> Sequence[Entry]:
    """All entries of a split; "train-100k" begins with those of "train"; "single", "pairs" and "several" keep some."""
    if split in ("everyday-single", "everyday-pairs"):
        return _kept(split.removeprefix("everyday-"), entries("everyday"))
    if split == "everyday":
        among = cast(everyday=True)
        return _as_usual(_training(split, SIZES[split], among, _names(among)))
    if split == "prompts":
        return _training(split, SIZES[split], cast(), _plain(synonyms=True), phrasings.OF_PROMPTS)
    if split in SIZES:
        return _training("train", SIZES[split], cast(), _plain())
    if split == "varied":
        return _varied(split, cast())
    if split == "everyday-varied":
        return _as_usual(_varied(split, cast(everyday=True)))
    if split == "everyday-test":
        return _as_usual(_test(split, cast(everyday=True)))
    if split == "test":
        return _test(split, cast())
    if split == "names":
        return _names(cast())
    if split == "synonyms":
        return _synonyms(cast())
    return _kept(split, entries("train-100k"))


def _kept(split: str, among: Sequence[Entry]) -> Sequence[Entry]:
    """Those that "single", "pairs" or "several" keeps."""
    return tuple(entry for entry in among if entry.scene and _is_in(split, entry.scene))


def _as_usual(found: Sequence[Entry]) -> Sequence[Entry]:
    return tuple(replace(entry, usual=True) for entry in found)


def _is_in(split: str, scene: Scene) -> bool:
    if len(scene.parts) == 2:
        return split == "pairs" and scene.relation in ("left of", "above")
    return split == ("single" if scene.parts[0].count == 1 else "several")


def _training(
    stream: str,
    size: int,
    among: Cast,
    unchanged: Sequence[Entry],
    wording: Wording = phrasings.USUAL,
) -> Sequence[Entry]:
    """Scenes of the things in `among`, and every tenth time one of the unchanged pictures, in turn."""
    return tuple(_for_training(f"{stream}-{index:06d}", index, among, unchanged, wording) for index in range(size))


def _for_training(identity: str, index: int, among: Cast, unchanged: Sequence[Entry], wording: Wording) -> Entry:
    draws = Draws(f"openmoji-world {identity} words")
    if index % PLAIN == PLAIN - 1:
        shown = unchanged[index // PLAIN % len(unchanged)]
        caption = _framed(shown.example.captions, draws, wording.frames)
        return Entry(Example(identity, (caption,), shown.example.group), shown.scene, shown.code)
    scene = training_scene(draws, among)
    caption = disguise(put_into_words(scene, draws, wording=wording).text, draws, synonyms=wording.synonyms)
    return Entry(Example(identity, (caption,), scene.group), scene)


def _framed(captions: Sequence[str], draws: Draws, frames: tuple[str, ...]) -> str:
    """One of the captions of an unchanged picture, in training's phrasings."""
    caption = draws.pick(captions)
    if caption.startswith(("a ", "an ", "the ")) and draws.chance(FRAMED):
        caption = draws.pick(_without_verb(frames)).format(x=caption)
    return disguise(caption, draws)


def _test(split: str, among: Cast) -> Sequence[Entry]:
    found: list[Entry] = []
    asked: set[str] = set()

    def ask(scene: Scene, skill: Skill | Literal["phrasing"], draws: Draws, unseen: bool) -> bool:
        caption = put_into_words(scene, draws, unseen=unseen).text
        if caption in asked:
            return False
        asked.add(caption)
        example = Example(f"{split}-{len(found):06d}", (caption,), scene.group)
        found.append(Entry(example, scene, skill=skill, unseen=unseen))
        return True

    draws = Draws(f"openmoji-world {split}")
    for number in range(QUESTIONS_A_SKILL * len(SKILLS)):
        skill = SKILLS[number % len(SKILLS)]
        while not ask(skill_scene(skill, draws, among, withheld=True), skill, draws, unseen=False):
            pass
    for number in range(REWORDED):
        scene = skill_scene(SKILLS[number % len(SKILLS)], draws, among, withheld=False)
        for unseen in (False, True):
            while not ask(scene, "phrasing", draws, unseen):
                pass
    return tuple(found)


def _varied(split: str, among: Cast) -> Sequence[Entry]:
    """Several pictures of each caption, whose scene and phrasing are as in training; in turn of each skill."""
    draws, scenes = Draws(f"openmoji-world {split}"), dict[str, Scene]()
    while len(scenes) < VARIED:
        scene = skill_scene(SKILLS[len(scenes) % len(SKILLS)], draws, among, withheld=False)
        scenes.setdefault(put_into_words(scene, draws).text, scene)
    pictures = [(caption, scene) for caption, scene in scenes.items() for _ in range(EACH)]
    return tuple(
        Entry(Example(f"{split}-{number:06d}", (caption,), scene.group), scene)
        for number, (caption, scene) in enumerate(pictures)
    )


def _names(among: Cast) -> Sequence[Entry]:
    found = []
    for number, thing in enumerate(among.all):
        captions = tuple(_one(noun) for noun in thing.nouns)
        scene = Scene((Part(thing.key),))
        found.append(Entry(Example(f"names-{number:06d}", captions, scene.group), scene, thing.code))
    return tuple(found)


def _synonyms(among: Cast) -> Sequence[Entry]:
    found: list[Entry] = []
    for thing in among.all:
        for noun in thing.synonyms:
            scene = Scene((Part(thing.key),))
            example = Example(f"synonyms-{len(found):06d}", (_one(noun),), scene.group)
            found.append(Entry(example, scene, skill="object"))
    return tuple(found)


def _one(noun: Noun) -> str:
    """One of a thing by this name, with its article: "an apple", "bread"."""
    return f"{article(noun.singular)} {noun.singular}" if noun.counted else noun.singular


@cache
def _plain(synonyms: bool = False) -> Sequence[Entry]:
    """OpenMoji's own training pictures in random order, without captions that mention a withheld combination."""
    kept = []
    for example in OpenMoji("train").examples:
        captions = tuple(caption for caption in example.captions if not names_withheld(caption, synonyms=synonyms))
        if captions:
            kept.append(Entry(Example(example.id, captions, example.group), None, example.id))
    return Draws("openmoji-world plain").shuffled(kept)


@cache
def _without_verb(frames: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(frame for frame in phrasings.seen(frames) if set(re.findall(r"{\w+}", frame)) == {"{x}"})
