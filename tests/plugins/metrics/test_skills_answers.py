"""Whether a picture is right, given the things found in it; and intervals against scipy's."""

from __future__ import annotations

import pytest

from t2i_metrics.skills.answers import question_of, shows, stands, wilson
from t2i_metrics.skills.detector import Found
from t2i_openmoji.world.reading import read

CAT, RED_CAT, DOG = Found("cat", "orange", 0.25, 0.5), Found("cat", "red", 0.25, 0.5), Found("dog", "blue", 0.75, 0.55)
LOW_DOG = Found("dog", "blue", 0.3, 0.8)


@pytest.mark.parametrize(
    ("caption", "found", "right"),
    [
        ("a cat", [CAT], True),
        ("a cat", [RED_CAT], True),  # no colour was asked for
        ("a cat", [], False),
        ("a cat", [DOG], False),
        ("a cat", [CAT, CAT], False),
        ("a cat", [CAT, DOG], False),
        ("a cat", [CAT, Found("", "red", 0.8, 0.8)], False),  # something else
        ("a red cat", [RED_CAT], True),
        ("a red cat", [CAT], False),
        ("three cats", [CAT] * 3, True),
        ("three cats", [CAT] * 2, False),
        ("three cats", [CAT] * 4, False),
        ("three red cats", [RED_CAT, RED_CAT, CAT], False),
        ("a cat and a dog", [DOG, CAT], True),
        ("a cat and a dog", [CAT], False),
        ("a red cat and a blue dog", [RED_CAT, DOG], True),
        ("a blue cat and a red dog", [RED_CAT, DOG], False),
        ("a cat next to a dog", [DOG, CAT], True),
        ("a cat left of a dog", [CAT, DOG], True),
        ("a dog to the right of a cat", [CAT, DOG], True),
        ("a dog left of a cat", [CAT, DOG], False),
        ("a cat above a dog", [CAT, DOG], False),
        ("a cat above a dog", [CAT, LOW_DOG], True),
        ("a dog below a cat", [CAT, LOW_DOG], True),
        ("a dog above a cat", [CAT, LOW_DOG], False),
        ("a red cat left of a dog", [CAT, DOG], False),
        ("a small cat on a blue background", [CAT], True),  # sizes and backgrounds are not checked
    ],
)
def test_right_and_wrong_pictures(caption: str, found: list[Found], right: bool) -> None:
    scene = read(caption)
    assert scene is not None
    assert shows(scene, found) == right


def test_opposite_relations_never_hold_together() -> None:
    for x in range(17):  # sixteenths, which floats hold exactly
        for y in range(17):
            here, there = Found("cat", "", 0.5, 0.5), Found("dog", "", x / 16, y / 16)
            pairs = ((here, there), (there, here))
            true = [stands(*pair, relation) for pair in pairs for relation in ("left of", "above")]
            assert sum(true) <= 1
            assert bool(sum(true)) == (max(abs(x - 8), abs(y - 8)) > 1 and abs(x - 8) != abs(y - 8))


@pytest.mark.parametrize(("right", "asked"), [(0, 10), (10, 10), (3, 10), (180, 250), (249, 250)])
def test_intervals_are_scipys(right: int, asked: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(right, asked).proportion_ci(0.95, method="wilson")
    assert wilson(right, asked) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_questions() -> None:
    assert question_of("what is love") is None
    question = question_of("three apples")
    assert question is not None
    assert question.skill == "count"
