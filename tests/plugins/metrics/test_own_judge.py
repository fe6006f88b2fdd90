"""`t2i judge train`: an encoder that knows one's own data, and is used for it from then on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from t2i.create import create_evaluator
from t2i.errors import UnknownNameError
from t2i.evaluation.evaluate import suited_to
from t2i.evaluation.plan import Plan
from t2i_metrics import train_heads
from t2i_metrics.encoders import create_image_text_encoder
from t2i_metrics.own_judges import base, judge_of, suited

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


def test_too_few_groups_are_refused(t2i: T2I, cache: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(name)
    assert "at least 20 groups" in t2i("judge", "train", tmp_path).error
