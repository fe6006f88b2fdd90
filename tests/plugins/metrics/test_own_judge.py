"""`t2i judge train`: an encoder that knows one's own data, and is used for it from then on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from t2i.create import create_evaluator
from t2i.data.dataset import Example
from t2i.errors import InvalidInputError, UnknownNameError
from t2i.evaluation.evaluate import suited_to
from t2i.evaluation.plan import Plan
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec
from t2i.testing.checks.roles.models import objective
from t2i.testing.checks.tiny_training import tiny_data
from t2i.training.config import TrainConfig
from t2i.training.validation_scores import Validator
from t2i_metrics import train_heads
from t2i_metrics.caption_ranking import draw_candidates
from t2i_metrics.encoders import create_image_text_encoder
from t2i_metrics.own_judges import base, judge_of, suited
from t2i_metrics.r_precision import RPrecision
from t2i_metrics.train_judge import _others

COLOURS = ("red", "green", "blue", "orange", "purple", "black", "brown", "pink", "cyan", "grey")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("T2I_CACHE", str(folder))
        patch.setattr(train_heads, "STEPS", 60)
        yield folder


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty pictures of coloured shapes."""
    folder = tmp_path_factory.mktemp("data") / "shapes"
    folder.mkdir()
    for colour in COLOURS:
        for shape in ("ellipse", "rectangle", "line"):
            picture = Image.new("RGB", (32, 32), "white")
            getattr(ImageDraw.Draw(picture), shape)((6, 6, 26, 26), fill=colour)
            picture.save(folder / f"{colour}-{shape}.png")
            (folder / f"{colour}-{shape}.txt").write_text(f"a {colour} {shape}")
    return folder


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("folder:photos:test", "folder:photos"),
        ("folder:photos", "folder:photos"),
        ("openmoji:compose", "openmoji"),
        ("coco:path:val2017", "coco:path"),
    ],
)
def test_a_judge_belongs_to_all_splits_of_its_data(name: str, whole: str) -> None:
    assert base(name) == whole


def test_without_a_judge_the_bundled_one_is_used(cache: Path) -> None:
    assert suited("folder:nothing") == {} and judge_of("folder:nothing") is None
    with pytest.raises(UnknownNameError, match="t2i judge train"):
        create_image_text_encoder("judge:folder:nothing")


def test_equal_captions_of_left_out_pictures_are_no_wrong_answers() -> None:
    """The number of wrong captions is what R-precision finds for every picture."""
    shown = [Example(str(number), (caption,), str(number)) for number, caption in enumerate("aabcd")]
    assert _others(shown) == 3 and _others(shown[:2]) == 0 and _others([]) == 0
    captions, groups = zip(*((example.captions[0], example.group) for example in shown), strict=True)
    draw_candidates(captions, groups, 3, seed=0)
    with pytest.raises(InvalidInputError, match="has only 3"):
        draw_candidates(captions, groups, 4, seed=0)


def test_a_trained_judge_knows_its_data_and_is_chosen_for_it(t2i: T2I, cache: Path, shapes: Path) -> None:
    result = t2i("judge", "train", shapes)
    assert result.code == 0 and "judge:folder:shapes" in result.err
    judge = judge_of("folder:shapes:test")
    assert judge is not None and (judge.pictures, judge.groups, judge.among) == (30, 30, 3)
    plan = suited_to(Plan(("r_precision", "kid")), "folder:shapes")
    assert plan.settings == {"r_precision": {"encoder": "judge:folder:shapes"}}
    given = suited_to(Plan(("r_precision",), settings={"r_precision": {"encoder": "judge"}}), "folder:shapes")
    assert given.settings["r_precision"] == {"encoder": "judge"}
    encoder = create_image_text_encoder("judge:folder:shapes")
    assert encoder.trained_on == "folder:shapes" and encoder.sha256 != create_image_text_encoder("judge").sha256
    from t2i.create import load_dataset
    from t2i_metrics.train_heads import show

    dataset, right = load_dataset(str(shapes)), {}
    for name in ("judge", "judge:folder:shapes"):
        evaluator = create_evaluator("r_precision", encoder=name, distractors=9)
        show(evaluator, dataset, range(len(dataset)))
        right[name] = evaluator.compute()["r_precision"].value
    assert right["judge:folder:shapes"] > max(0.5, right["judge"])
    made = objective(registry().get(ModelSpec, "cgan")[0])
    data = replace(tiny_data(made.generator, 12), name="folder:shapes")
    settings = TrainConfig(batch_size=4, validation_metrics=("r_precision",))
    validator = Validator(made, data, None, settings, torch.device("cpu"), pytest.fail, {})
    during_a_run, _ = validator._evaluators["r_precision"]
    assert isinstance(during_a_run, RPrecision) and during_a_run.encoder.name == "judge:folder:shapes"


def test_too_few_groups_are_refused(t2i: T2I, cache: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(name)
    assert "at least 20 groups" in t2i("judge", "train", tmp_path).error
