"""Copies of training pictures are detected, and new pictures are not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from fakes.pictures import pictures
from fakes.protocol import TINY
from t2i.data.dataset import CaptionedDataset
from t2i.data.readers.folder import read_folder
from t2i.errors import InvalidInputError
from t2i_metrics.extractor import get_extractor
from t2i_metrics.memorisation import Memorisation

pytestmark = pytest.mark.usefixtures("tiny")
TRAIN, HELD_OUT, FRESH = pictures(12, seed=7), pictures(12, seed=8), pictures(12, seed=9)


@pytest.fixture
def evaluator(training_folder: CaptionedDataset) -> Memorisation:
    evaluator = Memorisation(protocol=TINY, train=training_folder, pairs=3)
    evaluator.update(HELD_OUT, real=True)
    return evaluator


def test_copies_have_distance_0(evaluator: Memorisation) -> None:
    evaluator.update(TRAIN)
    scores = evaluator.compute()
    assert scores["memorisation"].value == pytest.approx(0, abs=1e-3)
    assert scores["copied"].value == 1
    assert not scores["copied"].higher_is_better


def test_new_pictures_are_as_far_as_held_out_ones(evaluator: Memorisation) -> None:
    evaluator.update(FRESH)
    score = evaluator.compute()["memorisation"]
    assert abs(score.value - 1) < 3 * score.standard_error
    assert score.protocol["n_train"] == "12"


def test_distances_equal_those_of_a_loop(evaluator: Memorisation) -> None:
    evaluator.update(FRESH)
    extractor = get_extractor(TINY)
    train, held_out, fresh = (extractor(images).features for images in (TRAIN, HELD_OUT, FRESH))
    nearest = [[min(float((one - other).norm()) for other in train) for one in some] for some in (fresh, held_out)]
    scores = evaluator.compute()
    assert scores["memorisation"].value == pytest.approx(sum(nearest[0]) / sum(nearest[1]), rel=1e-4)
    assert scores["copied"].value == pytest.approx(sum(each < min(nearest[1]) for each in nearest[0]) / 12)


def test_half_copied(evaluator: Memorisation) -> None:
    evaluator.update(torch.cat([TRAIN[:6], HELD_OUT[:6]]))
    scores = evaluator.compute()
    assert scores["copied"].value == 0.5
    assert 0.2 < scores["memorisation"].value < 0.8


def test_the_nearest_pairs_are_shown_nearest_first(evaluator: Memorisation, training_folder: CaptionedDataset) -> None:
    evaluator.update(FRESH)
    evaluator.update(TRAIN[4:5])
    sheet = evaluator.pairs()
    scale, gap = 3, 4
    first = [sheet.crop((gap + i * (96 + gap), gap, gap + i * (96 + gap) + 96, gap + 96)) for i in (0, 1)]
    wanted = training_folder.picture(4, 32)[0].resize((32 * scale, 32 * scale), 0)
    assert first[0].tobytes() == first[1].tobytes() == wanted.tobytes()
    distances = evaluator.state()["pair_distances"]
    assert len(distances) == 3
    assert distances[0] < 1e-3 < distances[1] <= distances[2]


def test_the_nearest_pairs_of_two_processes_are_those_of_one(training_folder: CaptionedDataset) -> None:
    alone, first, second = (Memorisation(protocol=TINY, train=training_folder, pairs=4) for _ in range(3))
    for images in (FRESH, TRAIN[:3]):
        alone.update(images)
    first.update(FRESH)
    second.update(TRAIN[:3])
    first.merge(second.state())
    assert torch.equal(first.state()["pair_positions"], alone.state()["pair_positions"])
    assert first.pairs().tobytes() == alone.pairs().tobytes()


def test_training_pictures_are_refused_as_held_out_ones(training_folder: CaptionedDataset) -> None:
    evaluator = Memorisation(protocol=TINY, train=training_folder)
    evaluator.update(TRAIN, real=True)
    evaluator.update(FRESH)
    with pytest.raises(InvalidInputError, match="are training pictures"):
        evaluator.compute()


def test_pictures_that_are_not_square_are_refused(training_folder: CaptionedDataset) -> None:
    with pytest.raises(InvalidInputError, match="got 32x16"):
        Memorisation(protocol=TINY, train=training_folder).update(torch.zeros(2, 3, 16, 32))


def test_pairs_without_a_picture_is_an_error(training_folder: CaptionedDataset) -> None:
    with pytest.raises(InvalidInputError, match="none was seen"):
        Memorisation(protocol=TINY, train=training_folder).pairs()


def test_training_pictures_that_cannot_be_read_are_left_out(tmp_path: Path, t2i_cache: Path) -> None:
    from t2i.images import to_pil

    for number, picture in enumerate(to_pil(TRAIN[:4])):
        picture.save(tmp_path / f"{number}.png")
        (tmp_path / f"{number}.txt").write_text(f"blob {number}\n")
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:60])
    evaluator = Memorisation(protocol=TINY, train=read_folder(tmp_path))
    evaluator.update(HELD_OUT, real=True)
    evaluator.update(TRAIN[3:4])
    evaluator.update(FRESH)
    assert evaluator.compute()["memorisation"].protocol["n_train"] == "3"
    assert evaluator.state()["pair_positions"][0] == 3, (
        "positions are those in the dataset, including the broken picture"
    )
    evaluator.pairs()
