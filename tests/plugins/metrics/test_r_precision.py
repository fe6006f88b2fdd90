"""R-precision against an explicit loop, and in cases with known results."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from fakes.image_text import FakeImageTextEncoder
from t2i.errors import InvalidInputError
from t2i_metrics.caption_ranking import draw_candidates
from t2i_metrics.r_precision import RPrecision

COLOURS = ("red", "green", "blue", "black", "white", "pink", "grey", "brown", "gold", "teal")
THINGS = ("heart", "car", "house", "dog", "cat", "bird", "fish", "flower", "boat", "sun", "moon", "tree")
CAPTIONS = [f"{colour} {thing}" for colour in COLOURS for thing in THINGS]
GROUPS = [thing for _ in COLOURS for thing in THINGS]


def scores_of(encoder: FakeImageTextEncoder, images, captions=CAPTIONS, groups=GROUPS, **settings):
    evaluator = RPrecision(encoder, **settings)
    evaluator.update(images, captions=captions, groups=groups)
    return evaluator.compute()


def test_it_equals_a_loop_over_pictures_and_captions():
    encoder = FakeImageTextEncoder()
    images = encoder.show(CAPTIONS, noise=0.6)
    score = scores_of(encoder, images)["r_precision"]
    pool = sorted(zip(CAPTIONS, GROUPS, strict=True))
    captions, groups = [caption for caption, _ in pool], [group for _, group in pool]
    candidates = draw_candidates(captions, groups, 99, seed=0)
    seen = dict(zip(CAPTIONS, encoder.images(images), strict=True))
    text = encoder.captions(captions)
    hits = []
    for caption in CAPTIONS:
        own, *others = candidates[captions.index(caption)].tolist()
        assert captions[own] == caption
        right, *wrong = [float(F.cosine_similarity(seen[caption], text[i], 0)) for i in (own, *others)]
        hits.append(all(right > other for other in wrong))
    assert 0.1 < np.mean(hits) < 0.9  # not 0 or 1, so a mistake would change it
    assert score.value == pytest.approx(np.mean(hits))


def test_distractors_are_distinct_captions_of_other_groups():
    candidates = draw_candidates(CAPTIONS, GROUPS, 99, seed=0)
    assert candidates.shape == (120, 100)
    for own, row in enumerate(candidates):
        assert row[0] == own and len(set(row.tolist())) == 100
        assert all(GROUPS[other] != GROUPS[own] for other in row[1:])
    assert set(candidates[:, 1:].flatten().tolist()) == set(range(120))
    assert (draw_candidates(CAPTIONS, GROUPS, 99, seed=1) != candidates).any()


def test_a_caption_two_groups_share_is_never_its_own_distractor():
    captions, groups = [*CAPTIONS, CAPTIONS[0]], [*GROUPS, "another"]
    for own, row in enumerate(draw_candidates(captions, groups, 99, seed=0)):
        assert captions[own] not in [captions[other] for other in row[1:]]


def test_each_caption_is_encoded_once():
    encoder = FakeImageTextEncoder()
    images = encoder.show(CAPTIONS * 3)
    evaluator = RPrecision(encoder)
    evaluator.update(images, captions=CAPTIONS * 3, groups=GROUPS * 3)
    evaluator.update(images[:120], captions=CAPTIONS, groups=GROUPS, real=True)
    evaluator.compute()
    assert sorted(encoder.encoded) == sorted(CAPTIONS)


def test_clear_pictures_score_1_and_shuffled_captions_chance():
    encoder = FakeImageTextEncoder(dim=16)
    captions = [f"{caption} {number}" for number in range(10) for caption in CAPTIONS]  # 1,200
    images = encoder.show(captions)
    assert scores_of(encoder, images, captions, None)["r_precision"].value == 1
    order = list(range(len(captions)))
    random.Random(0).shuffle(order)
    found = scores_of(encoder, images[order], captions, None)
    score, chance = found["r_precision"], found["r_precision_chance"]
    assert chance.value == 0.01
    assert abs(score.value - chance.value) < 4 * (0.01 * 0.99 / 1200) ** 0.5
    assert 0 < score.standard_error < 0.01


def test_real_pictures_give_the_ceiling_and_change_nothing_else():
    encoder = FakeImageTextEncoder()
    evaluator = RPrecision(encoder)
    evaluator.update(encoder.show(CAPTIONS, noise=0.1, seed=1), captions=CAPTIONS, groups=GROUPS, real=True)
    evaluator.update(encoder.show(CAPTIONS, noise=0.8), captions=CAPTIONS, groups=GROUPS)
    scores = evaluator.compute()
    assert list(scores) == ["r_precision", "r_precision_ceiling", "r_precision_chance"]
    assert scores["r_precision_ceiling"].value > scores["r_precision"].value > 0.01
    assert scores["r_precision"] == scores_of(encoder, encoder.show(CAPTIONS, noise=0.8))["r_precision"]


@pytest.mark.parametrize(
    ("real_noise", "fake_noise", "says"),
    [
        (0.3, 0.6, ""),
        (0.3, 0.3, ""),
        (9.0, 9.0, "is near chance, 0.01"),  # like an encoder of emoji on photographs
        (9.0, 0.3, "is near chance, 0.01"),
        (0.9, 0.1, "is below the model's score"),
    ],
)
def test_a_ceiling_near_chance_or_below_the_model_gives_a_caution(real_noise: float, fake_noise: float, says: str):
    encoder = FakeImageTextEncoder()
    evaluator = RPrecision(encoder)
    evaluator.update(encoder.show(CAPTIONS, real_noise, seed=1), captions=CAPTIONS, groups=GROUPS, real=True)
    evaluator.update(encoder.show(CAPTIONS, fake_noise), captions=CAPTIONS, groups=GROUPS)
    score = evaluator.compute()["r_precision"]
    assert says in score.caution and bool(says) == bool(score.caution)
    if says:
        assert "the encoder fake, trained on nothing," in score.caution and "r_precision.encoder" in score.caution
    trusted = scores_of(encoder, encoder.show(CAPTIONS, fake_noise))["r_precision"]
    assert trusted.caution == "" and score.protocol == trusted.protocol and not score.better_than(trusted)


def test_with_few_groups_as_many_wrong_captions_are_used_as_there_are():
    """And the protocol and a caution say how many; fewer than the fewest are refused."""
    encoder = FakeImageTextEncoder()
    captions = [f"{thing} {number}" for thing in THINGS[:5] for number in range(2)]
    groups = [caption.split()[0] for caption in captions]
    images = encoder.show(captions, noise=0.6)
    found = scores_of(encoder, images, captions, groups, fewest_distractors=3)
    exact = scores_of(encoder, images, captions, groups, distractors=8)
    score = found["r_precision"]
    assert score.value == exact["r_precision"].value and found["r_precision_chance"].value == pytest.approx(1 / 9)
    assert score.protocol == exact["r_precision"].protocol and score.protocol["question"].startswith("1 of 9,")
    assert "among 9 captions, not 100: chance is 0.11" in score.caution and exact["r_precision"].caution == ""
    with pytest.raises(InvalidInputError, match="needs 3 captions"):
        scores_of(encoder, images[:4], captions[:4], groups[:4], fewest_distractors=3, folds=2)


def test_batches_order_and_processes_do_not_change_the_score():
    encoder = FakeImageTextEncoder()
    images = encoder.show(CAPTIONS, noise=0.6)
    whole = scores_of(encoder, images)
    first, second = RPrecision(encoder), RPrecision(encoder)
    order = torch.randperm(120, generator=torch.Generator().manual_seed(0)).tolist()
    for evaluator, part in ((first, order[:50]), (second, order[50:])):
        for index in part:
            evaluator.update(images[[index]], captions=[CAPTIONS[index]], groups=[GROUPS[index]])
    resumed = RPrecision(encoder)
    resumed.merge(first.state())
    resumed.merge(second.state())
    assert resumed.compute() == whole
    resumed.reset()
    resumed.merge(RPrecision(encoder).state())
    with pytest.raises(InvalidInputError, match="got 0"):
        resumed.compute()


def test_the_error_is_that_of_ten_folds_and_the_interval_contains_the_value():
    encoder = FakeImageTextEncoder()
    score = scores_of(encoder, encoder.show(CAPTIONS, noise=0.6))["r_precision"]
    binomial = (score.value * (1 - score.value) / 120) ** 0.5
    assert 0.4 < score.standard_error / binomial < 2
    low, high = score.interval
    assert low < score.value < high
    assert 0.6 < (high - low) / (2 * 1.96 * binomial) < 1.4


@pytest.mark.parametrize(
    ("captions", "groups", "settings", "says"),
    [
        (CAPTIONS, ["thing"] * 120, {}, "has only 0"),
        (CAPTIONS[:60], GROUPS[:60], {}, r"99 captions of other groups .* has only 55 \(12 groups"),
        (CAPTIONS[:5], GROUPS[:5], {"distractors": 2}, "at least 10 generated pictures, got 5"),
        (None, None, {}, "one caption for each picture, got none"),
        (CAPTIONS[:7], GROUPS[:7], {}, "one non-empty caption for each picture, got 7"),
        (["", *CAPTIONS[1:]], GROUPS, {}, "1 of them empty"),
        (CAPTIONS, GROUPS[:7], {}, "one non-empty group for each picture, got 7"),
        (CAPTIONS, GROUPS, {"distractors": 0}, "distractors of at least 1"),
        (CAPTIONS, GROUPS, {"folds": 1}, "folds of at least 2"),
    ],
)
def test_bad_input(captions, groups, settings, says):
    encoder = FakeImageTextEncoder()
    count = len(captions) if captions in (CAPTIONS[:60], CAPTIONS[:5]) else 120
    images = encoder.show(CAPTIONS[:count])
    with pytest.raises(InvalidInputError, match=says):
        scores_of(encoder, images, captions, groups, **settings)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 300.0])
def test_input_that_is_not_pictures_is_refused(value):
    encoder = FakeImageTextEncoder()
    images = encoder.show(CAPTIONS)
    images[3, 0, 0, 0] = value
    with pytest.raises(InvalidInputError, match=r"finite pixels in \[-1, 1\]"):
        scores_of(encoder, images)


def test_constant_pictures_score_about_chance():
    encoder = FakeImageTextEncoder()
    score = scores_of(encoder, torch.full((120, 3, 4, 4), 0.5))["r_precision"]
    assert score.value <= 0.1


def test_states_of_other_evaluators_are_refused():
    encoder = FakeImageTextEncoder()
    evaluator = RPrecision(encoder)
    with pytest.raises(InvalidInputError, match="lacks fake"):
        evaluator.merge({"real": torch.zeros(1)})
    with pytest.raises(InvalidInputError, match=r"question: 1 of 100.* and 1 of 10,"):
        evaluator.merge(RPrecision(encoder, distractors=9).state())
    with pytest.raises(InvalidInputError, match="encoder: fake and other"):
        evaluator.merge(RPrecision(FakeImageTextEncoder(name="other")).state())


def test_protocols_record_encoder_question_and_captions():
    encoder = FakeImageTextEncoder()
    images = encoder.show(CAPTIONS)
    score = scores_of(encoder, images)["r_precision"]
    assert score.better_than(scores_of(encoder, images)["r_precision"]) is False
    others = [
        scores_of(FakeImageTextEncoder(name="other"), images),
        scores_of(encoder, images, distractors=50),
        scores_of(encoder, images, seed=1),
        scores_of(encoder, images, ["crimson heart", *CAPTIONS[1:]]),
    ]
    for other, part in zip(others, ("encoder", "question", "drawn", "captions"), strict=True):
        with pytest.raises(InvalidInputError, match=f"differ in {part}"):
            score.better_than(other["r_precision"])
