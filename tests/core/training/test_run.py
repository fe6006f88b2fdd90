"""`t2i train` below its command line: recipes, overrides, run.yaml, start and resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import t2i
from fakes.training import differing, state_of, write_squares
from t2i.errors import DataError, InvalidConfigError, OutputError, TrainingError, UnknownNameError
from t2i.training import run
from t2i.training.config import TrainConfig

TRAIN = {"batch_size": 4, "tracker": "none", "checkpoint_every": 4, "sample_every": 4, "log_every": 2}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_squares(tmp_path / "squares")


@pytest.fixture
def made(fakes_installed: None, data: Path) -> dict[str, Any]:
    """A tiny cgan run over eight squares, with the fake text encoder."""
    recipe = run.read_recipe("cgan", "tiny")
    return recipe | {"technique": "cgan", "data": str(data), "text_encoder": "fake", "train": TRAIN | {"steps": 8}}


@pytest.mark.parametrize("name", ["openmoji64", "paper", "tiny"])
def test_shipped_recipes_describe_a_run(name: str) -> None:
    recipe = run.read_recipe("cgan", name)
    config = run.RunConfig.model_validate({"data": "openmoji"} | recipe | {"technique": "cgan"})
    assert config.train.steps > 0
    generator = t2i.create_model("cgan", **config.model)
    assert generator.resolution == {"openmoji64": 64, "paper": 64, "tiny": 16}[name]


def test_a_recipe_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("train: {steps: 3}\n")
    assert run.read_recipe("cgan", str(path)) == {"train": {"steps": 3}}


@pytest.mark.parametrize(
    ("content", "sentence"), [("- a\n", "got a list"), ("a: [", "not YAML"), ("", "got a NoneType")]
)
def test_a_recipe_that_is_not_a_mapping_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(InvalidConfigError, match=sentence):
        run.read_recipe("cgan", str(path))


def test_an_unknown_recipe_suggests_a_similar_one() -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'openmoji64'.*It ships"):
        run.read_recipe("cgan", "openmoji46")


def test_overrides_are_yaml_and_do_not_change_the_original() -> None:
    before = {"train": {"steps": 1}, "data": "x"}
    assignments = ["train.steps=5", "model.widths=[8, 8]", "objective.generator.lr=1.0e-3", "train.clip_norm=null"]
    assert run.override(before, assignments) == {
        "train": {"steps": 5, "clip_norm": None},
        "data": "x",
        "model": {"widths": [8, 8]},
        "objective": {"generator": {"lr": 1e-3}},
    }
    assert before == {"train": {"steps": 1}, "data": "x"}


def test_overrides_of_nested_settings_do_not_change_the_original() -> None:
    before = {"objective": {"generator": {"lr": 1.0}}}
    run.override(before, ["objective.generator.lr=2"])
    assert before == {"objective": {"generator": {"lr": 1.0}}}


@pytest.mark.parametrize(
    "assignment", ["steps=5", "train.steps", "train.=1", "train.steps=[1", "train.steps.x=1", "=1"]
)
def test_a_malformed_override_is_refused(assignment: str) -> None:
    with pytest.raises(InvalidConfigError):
        run.override({"train": {"steps": 1}}, [assignment])


def test_a_run_is_a_model_and_records_how_it_was_made(made: dict[str, Any], tmp_path: Path) -> None:
    result = run.start(made | {"command": "t2i train cgan"}, tmp_path / "run", device="cpu")
    assert (result.step, result.finished) == (8, True)
    written = yaml.safe_load((tmp_path / "run" / "run.yaml").read_text())
    assert written["model"]["text_dim"] == 8 and written["train"]["steps"] == 8
    assert written["objective"]["loss"] == "hinge"  # complete: with all defaults
    pipe = t2i.pipeline(str(tmp_path / "run"))
    assert pipe("a red square", seed=1).images[0].size == (16, 16)
    facts = pipe.snapshot.config.facts
    assert (facts.steps, facts.images_seen, facts.dataset) == (8, 32, "folder:squares")
    assert facts.text_encoder is not None and facts.text_encoder.name == "fake"
    assert facts.command == "t2i train cgan"


def test_the_seed_determines_the_run(made: dict[str, Any], tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        torch.manual_seed(hash(name))
        run.start(made | {"train": made["train"] | {"seed": seed}}, tmp_path / name, device="cpu")
    assert differing(state_of(tmp_path / "a"), state_of(tmp_path / "b")) == []
    assert differing(state_of(tmp_path / "a"), state_of(tmp_path / "c")) != []


def test_resume_needs_nothing_but_the_folder(made: dict[str, Any], tmp_path: Path) -> None:
    run.start(made, tmp_path / "run", device="cpu")
    whole = state_of(tmp_path / "run")
    newest = tmp_path / "run" / "checkpoints" / "step-00000008"
    (newest / "state.safetensors").write_bytes(b"half")
    warnings: list[str] = []
    result = run.resume(tmp_path / "run", device="cpu", warn=warnings.append)
    assert result.finished and any(str(newest) in text for text in warnings)
    assert differing(whole, state_of(tmp_path / "run")) == []


def test_a_finished_run_is_unchanged_or_continues_to_more_steps(made: dict[str, Any], tmp_path: Path) -> None:
    run.start(made, tmp_path / "run", device="cpu")
    before = state_of(tmp_path / "run")
    assert run.resume(tmp_path / "run", device="cpu").step == 8
    assert differing(before, state_of(tmp_path / "run")) == []
    assert run.resume(tmp_path / "run", steps=12, device="cpu").step == 12


def test_a_folder_in_use_is_never_overwritten(made: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "mine.txt").write_text("precious")
    with pytest.raises(OutputError, match="already exists"):
        run.start(made, out, device="cpu")
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"technique": "cgna"}, UnknownNameError),
        ({"data": "opnmoji"}, UnknownNameError),
        ({"data": "no/such/folder"}, UnknownNameError),
        ({"text_encoder": "minilmm"}, UnknownNameError),
        ({"train": {"stepz": 1}}, InvalidConfigError),
        ({"train": {"batch_size": 5, "accumulate": 2}}, InvalidConfigError),
        ({"objective": {"losss": "bce"}}, InvalidConfigError),
        ({"objective": {"reconstruct_first": 0.5, "reconstruction": 0}}, InvalidConfigError),
        ({"objective": {"discriminator_widths": [8] * 9}}, InvalidConfigError),
        ({"model": {"resolution": 20}}, InvalidConfigError),
        ({"model": {"text_dim": 9, "resolution": 16}}, InvalidConfigError),
        ({"technique": "fake", "model": {}, "objective": {}}, TrainingError),
        ({"surprise": 1}, InvalidConfigError),
    ],
)
def test_wrong_settings_write_nothing(
    made: dict[str, Any], tmp_path: Path, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        run.start(made | changes, tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_one_group_suffices_for_techniques_without_mismatched_captions(made: dict[str, Any], tmp_path: Path) -> None:
    folder = write_squares(tmp_path / "shapes")
    rows = [{"file_name": path.name, "text": path.stem, "group": "square"} for path in sorted(folder.glob("*.png"))]
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made["data"] = str(folder)
    with pytest.raises(DataError, match=r"learns from mismatched captions.*only one group"):
        run.start(made, tmp_path / "cgan", device="cpu")
    assert not (tmp_path / "cgan").exists()
    for technique in ("cvae", "transformer"):
        settings = made | run.read_recipe(technique, "tiny") | {"technique": technique, "train": TRAIN | {"steps": 2}}
        assert run.start(settings, tmp_path / technique, device="cpu").finished


def test_resuming_needs_a_run_folder(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="not a run folder"):
        run.resume(tmp_path)
    (tmp_path / "run.yaml").write_text("technique: cgan\nsurprise: 1\n")
    with pytest.raises(InvalidConfigError, match="unknown field 'surprise'"):
        run.resume(tmp_path)


@pytest.mark.parametrize("written", ["no", "'no'", "auto"])
def test_a_precision_may_be_written_as_yaml_reads_it(written: str) -> None:
    """A bare `no` is false to YAML."""
    settings = run.override({}, [f"train.precision={written}"])
    assert TrainConfig.model_validate(settings["train"]).precision == written.strip("'")
