"""Diversity over the seeds of a prompt."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch

from fakes.pictures import pictures
from fakes.protocol import TINY
from t2i.create import create_evaluator
from t2i.errors import InvalidInputError
from t2i_metrics.extractor import get_extractor

pytestmark = pytest.mark.usefixtures("tiny")
IMAGES = pictures(7, seed=21)
CAPTIONS = ["a red heart", "a blue star", "a  red heart ", "a blue star", "a red heart", "alone", "a blue star"]


def test_it_is_the_mean_over_prompts_of_the_mean_over_pairs() -> None:
    evaluator = create_evaluator("diversity", protocol=TINY)
    evaluator.update(IMAGES[:3], captions=CAPTIONS[:3])
    evaluator.update(IMAGES[:2], captions=["a red heart"] * 2, real=True)
    evaluator.update(IMAGES[3:], captions=CAPTIONS[3:])
    features = get_extractor(TINY)(IMAGES).features
    means = [
        torch.stack([(features[a] - features[b]).norm() for a, b in combinations(same, 2)]).mean()
        for same in ([0, 2, 4], [1, 3, 6])
    ]
    score = evaluator.compute()["diversity"]
    assert score.value == pytest.approx(float(sum(means)) / 2, rel=1e-4)
    assert score.standard_error == pytest.approx(abs(float(means[0] - means[1])) / 2, rel=1e-3)
    assert score.protocol["n_captions"] == "2"
    assert score.protocol["n_fake"] == "6"
    ceiling = evaluator.compute()["diversity_ceiling"]
    assert ceiling.value == pytest.approx(float((features[0] - features[1]).norm()), rel=1e-4)
    assert (ceiling.protocol["n_real"], ceiling.protocol["n_captions"]) == ("2", "1")


def test_real_pictures_of_one_caption_each_have_no_diversity() -> None:
    evaluator = create_evaluator("diversity", protocol=TINY)
    evaluator.update(IMAGES[:2], captions=["a red heart"] * 2)
    evaluator.update(IMAGES[2:4], captions=["a red heart", "a blue star"], real=True)
    assert evaluator.compute().keys() == {"diversity"}


def test_a_model_that_ignores_its_noise_has_diversity_0() -> None:
    evaluator = create_evaluator("diversity", protocol=TINY)
    evaluator.update(IMAGES[:1].expand(4, -1, -1, -1).contiguous(), captions=["a red heart"] * 4)
    assert evaluator.compute()["diversity"].value == pytest.approx(0, abs=1e-3)


def test_no_caption_drawn_twice_is_an_error() -> None:
    evaluator = create_evaluator("diversity", protocol=TINY)
    evaluator.update(IMAGES[:3], captions=["one", "two", "three"])
    with pytest.raises(InvalidInputError, match="3 pictures of 3 captions"):
        evaluator.compute()


@pytest.mark.parametrize("captions", [None, ["one"], []])
def test_captions_are_needed(captions: list[str] | None) -> None:
    with pytest.raises(InvalidInputError, match=r"one .*caption for each picture"):
        create_evaluator("diversity", protocol=TINY).update(IMAGES[:2], captions=captions)
