"""Scores can only be compared under one protocol."""

from __future__ import annotations

import pytest

from t2i.errors import InvalidInputError
from t2i.evaluator import Score

PROTOCOL = {"extractor": "inception-v3", "split": "test", "n_fake": "2000"}


@pytest.mark.parametrize(("mine", "yours"), [(0.5, 0.4), (0.4, 0.5), (0.5, 0.5)])
def test_better_follows_higher_is_better(mine, yours):
    up, down = ([Score(value, PROTOCOL, higher_is_better=way) for value in (mine, yours)] for way in (True, False))
    assert up[0].better_than(up[1]) == (mine > yours)
    assert down[0].better_than(down[1]) == (mine < yours)


def test_protocols_in_another_order_are_the_same_protocol():
    assert Score(2, dict(reversed(PROTOCOL.items()))).better_than(Score(1, PROTOCOL))


def test_a_caution_does_not_make_scores_incomparable():
    assert Score(2, PROTOCOL, caution="The ceiling is near chance.").better_than(Score(1, PROTOCOL))


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({**PROTOCOL, "split": "train"}, "differ in split: test and train"),
        ({"extractor": "inception-v3", "split": "test"}, "differ in n_fake: 2000 and not stated"),
        ({**PROTOCOL, "seed": "0"}, "differ in seed: not stated and 0"),
        ({**PROTOCOL, "split": "val", "n_fake": "1"}, "n_fake: 2000 and 1; split: test and val"),
    ],
)
def test_another_protocol_is_refused_and_the_difference_named(other, says):
    with pytest.raises(InvalidInputError) as caught:
        Score(1, PROTOCOL).better_than(Score(2, other))
    assert says in str(caught.value)


def test_scores_of_opposite_directions_cannot_be_compared():
    with pytest.raises(InvalidInputError, match="higher_is_better"):
        Score(1, PROTOCOL).better_than(Score(2, PROTOCOL, higher_is_better=False))
