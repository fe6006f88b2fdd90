"""The evaluator `skills` against known answers: real pictures, captions of others, a colour-blind generator, blur."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from t2i.create import create_evaluator
from t2i.errors import InvalidInputError
from t2i.evaluator import Score
from t2i.testing.evaluators import EvaluatorSuite, MakeEvaluator
from t2i_metrics.skills.answers import question_of
from t2i_metrics.skills.card import blurred, drawn_as_is, recoloured
from t2i_metrics.skills.evaluator import Skills, score_name
from t2i_metrics.skills.renders import to_images
from t2i_metrics.skills.sheet import write_sheet
from t2i_openmoji.world.scene import SKILLS
from t2i_openmoji.world.splits import Entry, entries
from t2i_openmoji.world.things import things

COLOURED = {"skills_colour", "skills_attribution"}


class TestSkills(EvaluatorSuite):
    @pytest.fixture
    def make_evaluator(self) -> MakeEvaluator:
        return Skills


@cache
def questions() -> list[Entry]:
    """360 of the test split and 60 of its phrasings."""
    split = entries("test")
    phrasings = [entry for entry in split if entry.skill == "phrasing"]
    return [entry for entry in split if entry.skill != "phrasing"][:360] + phrasings[:60]


def asked(evaluator: Skills, picture: Callable[[Entry], Image.Image], *, real: bool = False) -> None:
    for first in range(0, len(questions()), 60):
        some = questions()[first : first + 60]
        images = to_images([np.asarray(picture(entry)) for entry in some])
        evaluator.update(images, captions=[entry.example.captions[0] for entry in some], real=real)


@pytest.fixture(scope="module")
def scores() -> dict[str, Score]:
    """Scores with blurred pictures as generated ones and sharp ones as real."""
    skills = create_evaluator("skills")
    assert isinstance(skills, Skills)
    asked(skills, drawn_as_is, real=True)
    asked(skills, blurred)
    return skills.compute()


def values(scores: dict[str, Score], suffix: str = "") -> dict[str, float]:
    names = [name.removesuffix("_ceiling") for name in scores if name.endswith("_ceiling")]
    return {name: scores[name + suffix].value for name in names}


def test_real_pictures_are_right(scores: dict[str, Score]) -> None:
    ceilings = values(scores, "_ceiling")
    assert len(ceilings) == 9
    assert min(ceilings.values()) > 0.9, ceilings
    assert ceilings["skills"] > 0.95


def test_blurred_pictures_are_still_recognised(scores: dict[str, Score]) -> None:
    assert min(values(scores).values()) > 0.8, values(scores)


def test_captions_of_other_pictures_are_wrong(scores: dict[str, Score]) -> None:
    chances = values(scores, "_chance")
    assert max(chances.values()) < 0.03, chances


def test_a_colour_blind_generator_only_fails_colours(scores: dict[str, Score]) -> None:
    skills = Skills()
    asked(skills, recoloured)
    blind = skills.compute()
    for name in values(scores):
        if name in COLOURED:
            assert blind[name].value < 0.03, name
        elif "phrasing" not in name and name != "skills":
            assert blind[name].value > 0.88, name
    for name in ("skills_seen_phrasing", "skills_unseen_phrasing"):  # two questions of six ask for a colour
        assert 0.45 < blind[name].value < 0.8


def test_wrong_counts_and_missing_things_are_detected() -> None:
    """Single things under captions that ask for several of them, or for an additional one."""
    some = [entry for entry in questions() if entry.skill == "object"][:60]
    images = to_images([np.asarray(drawn_as_is(entry)) for entry in some])
    names = [entry.scene.parts[0].thing for entry in some if entry.scene]
    several = [things()[name].nouns[0].plural for name in names]
    for captions in ([f"two {name}" for name in several], [f"{name} and a red heart" for name in names]):
        readable = [number for number, caption in enumerate(captions) if question_of(caption)]
        skills = Skills()
        skills.update(images[readable], captions=[captions[number] for number in readable])
        assert len(readable) > 50
        assert max(score.value for name, score in skills.compute().items() if "chance" not in name) < 0.05


def test_scores_record_their_protocol(scores: dict[str, Score]) -> None:
    for name, score in scores.items():
        assert score.higher_is_better
        assert score.interval is not None and score.interval[0] <= score.value <= score.interval[1], name
        assert len(score.protocol["detector_sha256"]) == 64
    assert scores["skills_count"].protocol["n_fake"] == "60"
    assert scores["skills"].protocol["n_fake"] == "360"
    assert scores["skills_count_ceiling"].protocol["n_real"] == "60"
    six = [scores[score_name(skill)].value for skill in SKILLS]
    assert scores["skills"].value == pytest.approx(sum(six) / 6)
    low, high = scores["skills"].interval or (0, 0)
    assert 0 < scores["skills"].value - low < 0.04 and 0 < high - scores["skills"].value < 0.04  # six times 60 answers


def test_a_skill_without_captions_has_no_score() -> None:
    skills = Skills()
    skills.update(torch.ones(2, 3, 32, 32), captions=["a red cat", "a blue dog"])
    assert set(skills.compute()) == {"skills_colour", "skills_colour_chance"}
    skills.reset()
    skills.update(torch.ones(2, 3, 32, 32), captions=["a red cat", "a red cat"])
    assert set(skills.compute()) == {"skills_colour"}  # no other caption, no chance


def test_pictures_in_another_style_carry_a_caution(scores: dict[str, Score]) -> None:
    assert not any(score.caution for score in scores.values())
    singles = [entry for entry in questions() if entry.skill == "object"][:60]
    captions = [entry.example.captions[0] for entry in singles]
    pictures = to_images([np.asarray(drawn_as_is(entry)) for entry in singles])
    coarse = torch.rand(60, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    styles = {
        "it draws in another style": torch.where(pictures.amin(1, keepdim=True) > 0.9, 1.0, -1.0).expand_as(pictures),
        "only 0% of these pictures": F.interpolate(coarse, size=(64, 64), mode="bilinear"),  # coloured noise
    }
    for reason, images in styles.items():
        skills = Skills()
        skills.update(images, captions=captions)
        assert reason in skills.compute()["skills_object"].caution
    skills = Skills()
    skills.update(styles["it draws in another style"], captions=captions, real=True)
    skills.update(pictures, captions=captions)
    assert "of the real pictures" in skills.compute()["skills_object"].caution


def test_captions_it_cannot_read_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"'a feeling of unease'.*openmoji-world:test"):
        Skills().update(torch.ones(1, 3, 64, 64), captions=["a feeling of unease"])
    with pytest.raises(InvalidInputError, match="one caption for each picture, got none"):
        Skills().update(torch.ones(1, 3, 64, 64))


@pytest.mark.parametrize("side", [32, 96, 128])
def test_pictures_of_other_sizes_are_read(side: int) -> None:
    skills = Skills()
    some = [entry for entry in questions() if entry.skill in ("object", "colour")][:60]
    pictures = [drawn_as_is(entry).resize((side, side), Image.Resampling.LANCZOS) for entry in some]
    images = to_images([np.asarray(picture) for picture in pictures])
    skills.update(images, captions=[entry.example.captions[0] for entry in some])
    scores = skills.compute()
    assert min(scores[name].value for name in ("skills_object", "skills_colour")) > 0.8


def test_the_sheet_shows_right_and_wrong_ones(tmp_path: Path) -> None:
    some = questions()[:24]
    images = to_images([np.asarray(recoloured(entry)) for entry in some])
    write_sheet(tmp_path / "sheet.webp", Skills().detector, images, [entry.example.captions[0] for entry in some], 4)
    with Image.open(tmp_path / "sheet.webp") as sheet:
        colours = {colour for _, colour in sheet.convert("RGB").getcolors(2**24)}
    assert {(0, 128, 0), (255, 0, 0)} <= colours  # frames: some right, some wrong
