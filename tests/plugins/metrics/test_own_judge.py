"""`t2i judge train`: an encoder that knows one's own data, and is used for it from then on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import create_autospec

import pytest
import torch
from PIL import Image, ImageDraw

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from t2i.create import create_evaluator, load_dataset
from t2i.data.dataset import CaptionedDataset
from t2i.data.fit import Fitting
from t2i.data.pack.pack import write_pack
from t2i.errors import InvalidInputError, UnknownNameError
from t2i.evaluation.evaluate import suited_to
from t2i.evaluation.plan import Plan
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec
from t2i.testing.checks.roles.models import objective
from t2i.testing.checks.tiny_training import tiny_data
from t2i.training.config import TrainConfig
from t2i.training.steps import Steps
from t2i.training.validation_scores import Validator
from t2i_metrics import train_heads
from t2i_metrics.caption_ranking import count_others, draw_candidates
from t2i_metrics.encoders import create_image_text_encoder
from t2i_metrics.own_judges import RECORD, Judge, base, folder_of, judges_of, suited, weights_of
from t2i_metrics.r_precision import RPrecision
from t2i_metrics.train_heads import show

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
    assert suited("folder:nothing", "/tmp/nothing", pytest.fail) == {} and judges_of("folder:nothing") == []
    with pytest.raises(UnknownNameError, match="t2i judge train"):
        create_image_text_encoder("judge:folder:nothing")


def test_equal_captions_of_left_out_pictures_are_no_wrong_answers() -> None:
    """The number of wrong captions is what R-precision finds for every picture."""
    shown = [*zip("abcd", "0234", strict=True), ("a", "1")]
    assert count_others(shown) == 3 and count_others(shown[:1]) == 0 and count_others([]) == 0
    captions, groups = zip(*shown, strict=True)
    draw_candidates(captions, groups, 3, seed=0)
    with pytest.raises(InvalidInputError, match="has only 3"):
        draw_candidates(captions, groups, 4, seed=0)


def test_a_trained_judge_knows_its_data_and_is_chosen_for_it(t2i: T2I, cache: Path, shapes: Path) -> None:
    result = t2i("judge", "train", shapes)
    (judge,) = judges_of("folder:shapes:test")
    name = f"judge:{judge.name}"
    assert result.code == 0 and name in result.err and name.startswith("judge:folder:shapes@")
    assert (judge.pictures, judge.groups, judge.among, judge.location) == (30, 30, 3, str(shapes))
    dataset, right = load_dataset(str(shapes)), {}
    plan = suited_to(Plan(("r_precision", "kid")), dataset, pytest.fail)
    assert plan.settings == {"r_precision": {"encoder": name}}
    given = suited_to(Plan(("r_precision",), settings={"r_precision": {"encoder": "judge"}}), dataset)
    assert given.settings["r_precision"] == {"encoder": "judge"}
    encoder = create_image_text_encoder("judge:folder:shapes")
    assert (encoder.name, encoder.trained_on) == (name, "folder:shapes")
    assert encoder.sha256 != create_image_text_encoder("judge").sha256
    for each in ("judge", "judge:folder:shapes"):
        evaluator = create_evaluator("r_precision", encoder=each, distractors=9)
        show(evaluator, dataset, range(len(dataset)))
        right[each] = evaluator.compute()["r_precision"].value
    assert right["judge:folder:shapes"] > max(0.5, right["judge"])
    made = objective(registry().get(ModelSpec, "cgan")[0])
    data = replace(tiny_data(made.generator, 12), name="folder:shapes", location=str(shapes))
    settings = TrainConfig(batch_size=4, validation_metrics=("r_precision",))
    validator = Validator(made, data, None, settings, torch.device("cpu"), pytest.fail, {})
    during_a_run, _ = validator._evaluators["r_precision"]
    assert isinstance(during_a_run, RPrecision) and during_a_run.encoder.name == name


def test_another_folder_of_the_same_name_is_not_scored_by_a_judge(cache: Path, shapes: Path, tmp_path: Path) -> None:
    """Neither the folder nor its pack, nor while a run is validated; one warning names the judge."""
    record(Judge(data="folder:shapes", location=str(shapes), pictures=30, groups=30))
    shutil.copytree(shapes, tmp_path / "shapes")
    other = load_dataset(str(tmp_path / "shapes"))
    write_pack(other, tmp_path / "pack", 16)
    for dataset in (other, load_dataset(str(tmp_path / "pack"))):
        said: list[str] = []
        plan = suited_to(Plan(("r_precision",)), dataset, said.append)
        assert plan.settings == {"r_precision": {"encoder": "judge"}}
        assert len(said) == 1 and f"trained on {shapes}, not on {tmp_path / 'shapes'}" in said[0]
        assert f"r_precision.encoder=judge:{judges_of('folder:shapes')[0].name}" in said[0]
    chosen = Plan(("r_precision",), settings={"r_precision": {"encoder": "judge:folder:shapes"}})
    assert suited_to(chosen, other, pytest.fail).settings == chosen.settings


def test_two_folders_of_one_name_have_two_judges(cache: Path) -> None:
    made = [Judge(data="folder:twins", location=where, pictures=30, groups=30) for where in ("/a/twins", "/b/twins")]
    for judge in made:
        record(judge)
        assert suited("folder:twins:test", judge.location, pytest.fail) == {"encoder": f"judge:{judge.name}"}
        assert weights_of(judge.name)[0] == judge
    with pytest.raises(UnknownNameError, match=r"the name of 2 .*/a/twins.*/b/twins"):
        weights_of("folder:twins")


def test_a_judge_without_a_recorded_folder_is_used_with_a_warning(cache: Path) -> None:
    record(Judge(data="folder:old", pictures=30, groups=30))
    said: list[str] = []
    assert suited("folder:old", "/a/old", said.append) == {"encoder": "judge:folder:old"}
    assert len(said) == 1 and "does not record which folder" in said[0]
    record(Judge(data="openmoji", pictures=30, groups=30))
    assert suited("openmoji:test", "", pytest.fail) == {"encoder": "judge:openmoji"}


def test_a_held_out_score_comes_with_its_bounds_and_its_caution_is_said_once(cache: Path) -> None:
    """Also where fewer than 100 groups are held out."""
    made = objective(registry().get(ModelSpec, "cgan")[0])
    said: list[str] = []
    settings = TrainConfig(batch_size=4, validation_metrics=("r_precision",))
    data = tiny_data(made.generator, 12)
    validator = Validator(made, data, None, settings, torch.device("cpu"), said.append, {})
    found: dict[str, float] = {}
    steps = create_autospec(Steps, instance=True)
    steps.held_out_terms.return_value = {}
    for step in (0, 500):
        found = validator(steps, step, made.generator)
    assert found.keys() == {f"held_out/r_precision{bound}" for bound in ("", "_ceiling", "_chance")}
    assert found["held_out/r_precision_chance"] == pytest.approx(1 / 12)
    assert len(said) == 1 and said[0].startswith("step 1: held-out r_precision is")
    assert "among 12 captions, not 100: chance is 0.083" in said[0] and "trained on OpenMoji" in said[0]


def record(judge: Judge) -> None:
    folder_of(judge).mkdir(parents=True, exist_ok=True)
    (folder_of(judge) / RECORD).write_text(judge.model_dump_json())


def test_a_judge_sees_pictures_as_the_options_fit_them(t2i: T2I, shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Fitting] = []

    def spy(dataset: CaptionedDataset, progress: object) -> Judge:
        seen.append(dataset.fitting)
        return Judge(data="folder:shapes", pictures=1, groups=1)

    monkeypatch.setattr("t2i_metrics.train_judge.train_judge", spy)
    assert t2i("judge", "train", shapes, "--fit", "pad", "--position", "start").code == 0
    assert seen == [Fitting("pad", "start")]


def test_too_few_groups_are_refused(t2i: T2I, cache: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / f"{name}.png")
        (tmp_path / f"{name}.txt").write_text(name)
    assert "at least 20 groups" in t2i("judge", "train", tmp_path).error
