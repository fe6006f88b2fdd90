"""Skills: does the picture show what its caption asks for (after GenEval, Ghosh et al. 2023)?"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, replace
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from typing import ClassVar, final

from torch import Tensor

from t2i.errors import InvalidInputError
from t2i.evaluator import Score
from t2i_metrics.accumulating_evaluator import AccumulatingEvaluator, Batch, pack, unpack
from t2i_metrics.accumulators import Accumulator
from t2i_metrics.skills.answers import PHRASING, Question, question_of, shows, wilson
from t2i_metrics.skills.detector import SIDE, THRESHOLD, Found, load_detector, resized
from t2i_metrics.skills.style import caution, plain_ground
from t2i_openmoji.world.scene import SKILLS

WEIGHTS = "skills/weights/model.safetensors"
SHA256 = "39950b7cd7758842197ab86c227ad6f74411bb480dd96208134d048898e7f198"


@final
class Skills(AccumulatingEvaluator):
    """The share of pictures that show what their caption asks for, for each of six skills; higher is better.

    One object, colour, count, two objects, position and colour attribution, each picture right or wrong; "skills" is
    their mean. A detector trained on renders of openmoji-world finds the things in a picture; it was not used to train
    any generator. Captions of openmoji-world:test also compare seen with unseen phrasings.

    It knows OpenMoji's style; scores of pictures in another style carry a caution.

    Attributes:
        detector: the detector that it uses.
    """

    needs_captions: ClassVar[bool] = True

    def __init__(self, *, detector: str | Path = "bundled") -> None:
        """
        Args:
            detector: "bundled", or a safetensors file that `nox -s train-detector` wrote.

        Raises:
            IntegrityError, SnapshotError: the file is damaged or not a detector.
        """
        bundled = detector == "bundled"
        path = Path(str(files("t2i_metrics"))) / WEIGHTS if bundled else Path(detector)
        self.detector, found = load_detector(path, SHA256 if bundled else "")
        settings = {
            "detector_sha256": found,
            "detector_input": f"{SIDE} px, certainty above {THRESHOLD}",
            "right": "the things of the caption in their numbers and nothing else, in its colours and places",
        }
        super().__init__("skills", settings)
        self._fake, self._real = self.keep("fake", Sightings()), self.keep("real", Sightings())

    def add(self, batch: Batch) -> None:
        """
        Raises:
            InvalidInputError: a caption describes no scene that the detector knows.
        """
        assert batch.captions is not None  # captions are required
        for caption in batch.captions:
            _question(caption)
        seen, images = self._real if batch.real else self._fake, resized(batch.images.cpu().float())
        seen.add(batch.captions, self.detector.find(images), plain_ground(images).tolist())

    def compute(self) -> dict[str, Score]:
        """ "skills" and one score for each skill, such as "skills_count"; their ceilings and chances.

        "skills_count_ceiling" is the score of the real pictures, if any were seen; "skills_count_chance" that of the
        generated ones, each under another caption that asks for the same skill. A skill that no caption asks for has
        no score, and without a score of each of the six there is no "skills".

        Raises:
            InvalidInputError: no generated picture was seen.
        """
        self.require(1, {"generated": len(self._fake)}, "Draw some.")
        scores = self._scores(_answers(self._fake), "", "n_fake")
        ceilings = self._scores(_answers(self._real), "_ceiling", "n_real")
        chances = self._scores(_answers(self._fake, _others(self._fake.captions)), "_chance", "n_fake")
        doubt = caution(self._fake.plain, scores.get(score_name("object")), ceilings.get("skills_object_ceiling"))
        return {name: replace(score, caution=doubt) for name, score in scores.items()} | ceilings | chances

    def _scores(self, answers: Mapping[str, Sequence[bool]], suffix: str, count: str) -> dict[str, Score]:
        """One score for each skill asked for; and their mean, if all six were."""
        of_skill = {
            skill: _share(right, self.protocol(**{count: len(right)}))
            for skill in (*SKILLS, *PHRASING.values())
            if (right := answers.get(skill))
        }
        scores = {}
        if of_skill.keys() >= set(SKILLS):
            asked = sum(len(answers[skill]) for skill in SKILLS)
            scores[f"skills{suffix}"] = _mean([of_skill[skill] for skill in SKILLS], self.protocol(**{count: asked}))
        return scores | {f"{score_name(skill)}{suffix}": score for skill, score in of_skill.items()}


@final
class Sightings(Accumulator):
    """Each picture's caption, things found, and whether its background is plain; in the order of the updates."""

    def __init__(self) -> None:
        self.clear()

    def __len__(self) -> int:
        return len(self.captions)

    def add(self, captions: Sequence[str], found: Sequence[Sequence[Found]], plain: Sequence[bool]) -> None:
        """Append b pictures."""
        self.captions += captions
        self.found += found
        self.plain += plain

    def state(self, name: str) -> dict[str, Tensor]:
        found = [[astuple(each) for each in one] for one in self.found]
        return {name: pack([self.captions, found, self.plain])}

    def merge(self, name: str, state: Mapping[str, Tensor]) -> None:
        captions, found, plain = unpack(state[name])
        self.add(captions, [[Found(*each) for each in one] for one in found], plain)

    def clear(self) -> None:
        self.captions: list[str] = []
        self.found: list[Sequence[Found]] = []
        self.plain: list[bool] = []


def score_name(skill: str) -> str:
    """The name of a skill's score, such as "skills_two_objects"."""
    return f"skills_{skill.replace(' ', '_')}"


def _answers(seen: Sightings, asked: Mapping[str, str] | None = None) -> dict[str, list[bool]]:
    """For each skill, whether each picture is right; with `asked`, under the other caption that it gives."""
    answers: defaultdict[str, list[bool]] = defaultdict(list)
    for caption, found in zip(seen.captions, seen.found, strict=True):
        under = caption if asked is None else asked.get(caption)
        if under is not None:
            question = _question(under)
            answers[question.skill].append(shows(question.scene, found))
    return answers


def _others(captions: Iterable[str]) -> dict[str, str]:
    """For each caption another one that asks for the same skill, by a fixed hash; none for the only one of a skill."""
    of_skill: defaultdict[str, list[str]] = defaultdict(list)
    for caption in sorted(set(captions), key=lambda caption: sha256(caption.encode()).digest()):
        of_skill[_question(caption).skill].append(caption)
    pairs = (zip(same, [*same[1:], same[0]], strict=True) for same in of_skill.values() if len(same) > 1)
    return {caption: other for pair in pairs for caption, other in pair}


def _question(caption: str) -> Question:
    """
    Raises:
        InvalidInputError: the caption describes no scene that the detector knows.
    """
    question = question_of(caption)
    if question is None:
        raise InvalidInputError(
            f"skills reads captions that ask for one or two kinds of openmoji-world's things, such as 'a red cat next "
            f"to a blue dog', got {caption!r}. Evaluate on openmoji-world:test."
        )
    return question


def _share(right: Sequence[bool], protocol: Mapping[str, str]) -> Score:
    share = sum(right) / len(right)
    error = (share * (1 - share) / len(right)) ** 0.5
    return Score(share, protocol, standard_error=error, interval=wilson(sum(right), len(right)))


def _mean(scores: Sequence[Score], protocol: Mapping[str, str]) -> Score:
    """The mean of independent shares; its interval is combined from theirs (Zou and Donner 2008, eq. 4)."""
    count, values = len(scores), [score.value for score in scores]
    ends = [score.interval or (score.value, score.value) for score in scores]
    mean = sum(values) / count
    error = sum((score.standard_error or 0.0) ** 2 for score in scores) ** 0.5 / count
    low, high = (
        math.hypot(*(value - end[side] for value, end in zip(values, ends, strict=True))) / count for side in (0, 1)
    )
    return Score(mean, protocol, standard_error=error, interval=(mean - low, mean + high))
