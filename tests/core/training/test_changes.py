"""Which settings a resumed run may change, and how that is recorded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from fakes.training import write_squares
from t2i.errors import InvalidConfigError
from t2i.runs.folder import RunFolder
from t2i.training import run
from t2i.training.changes import changed
from t2i.training.settings import Change, RunConfig, checked, read_run
from t2i_cgan.config import CGANObjectiveConfig


def config() -> RunConfig:
    """A complete config, as in run.yaml."""
    recipe = run.read_recipe("cgan", "tiny")
    recipe["train"] |= {"steps": 48}
    recipe["objective"] = CGANObjectiveConfig.model_validate(recipe["objective"]).model_dump(mode="json")
    return checked(recipe | {"technique": "cgan", "data": "squares"})


def test_changes_are_listed_with_their_steps() -> None:
    first = changed(config(), ["train.steps=4000"], 48)
    assert first.train.steps == 4000
    assert first.changes == (
        Change(step=0, settings={"train.steps": 48}),
        Change(step=48, settings={"train.steps": 4000}),
    )
    lr = config().objective["generator"]["lr"]
    second = changed(first, ["objective.generator.lr=1e-5", "train.steps=5000"], 100)
    assert second.objective["generator"]["lr"] == 1e-5
    assert second.changes == (
        Change(step=0, settings={"train.steps": 48, "objective.generator.lr": lr}),
        Change(step=48, settings={"train.steps": 4000}),
        Change(step=100, settings={"objective.generator.lr": 1e-5, "train.steps": 5000}),
    )


def test_unchanged_settings_are_not_recorded() -> None:
    assert changed(config(), ["train.steps=48"], 10) == config()
    assert changed(config(), [], 10) == config()


@pytest.mark.parametrize(
    ("assignment", "says"),
    [
        ("train.steps=9", "at least as many steps as are done, here 10, got steps=9"),
        ("train.batch_size=4", r"train.batch_size cannot change within a run.*train.steps.*objective.generator.lr"),
        ("train.seed=4", "train.seed cannot change"),
        ("model.resolution=32", "model.resolution cannot change"),
        ("objective.r1_gamma=3", "objective.r1_gamma cannot change"),
        ("objective.generator.rate=3", "rate"),
        ("train.log_every=0", "log_every"),
        ("data=other", "model.field=value, objective.field=value, train.field=value, data.field=value, text_encoder="),
    ],
)
def test_a_setting_that_cannot_change_is_a_one_sentence_error(assignment: str, says: str) -> None:
    with pytest.raises(InvalidConfigError, match=says):
        changed(config(), [assignment], 10)


@pytest.mark.parametrize(
    ("assignments", "says"),
    [
        (["train.steps=8"], "From step 4 on: train.steps=8; the learning rate's cosine now ends at step 8."),
        (["train.log_every=1"], "From step 4 on: train.log_every=1."),
        (["train.steps=8", "objective.generator.schedule=constant"], "schedule=constant."),
    ],
)
def test_a_resume_states_where_a_cosine_ends(
    fakes_installed: None, tmp_path: Path, assignments: list[str], says: str
) -> None:
    recipe: dict[str, Any] = run.read_recipe("cgan", "tiny")
    recipe["objective"]["generator"] = {"schedule": "cosine"}
    train = {"steps": 4, "batch_size": 4, "tracker": "none", "checkpoint_every": 2, "sample_every": 0}
    made = {"technique": "cgan", "data": str(write_squares(tmp_path / "squares")), "text_encoder": "fake"}
    run.start(recipe | made | {"train": train}, tmp_path / "run", device="cpu")
    warnings: list[str] = []
    run.resume(tmp_path / "run", assignments=assignments, device="cpu", warn=warnings.append)
    assert len(warnings) == 1 and warnings[0].endswith(says)


def test_a_run_keeps_its_new_length(fakes_installed: None, tmp_path: Path) -> None:
    """A run of 4 steps that is extended to 8 and stopped at 6 continues to 8."""
    recipe: dict[str, Any] = run.read_recipe("cgan", "tiny")
    train = {"steps": 4, "batch_size": 4, "tracker": "none", "checkpoint_every": 2, "sample_every": 0, "log_every": 2}
    made = {"technique": "cgan", "data": str(write_squares(tmp_path / "squares")), "text_encoder": "fake"}
    out = tmp_path / "run"
    run.start(recipe | made | {"train": train}, out, device="cpu")
    warnings: list[str] = []
    assert run.resume(out, steps=8, device="cpu", warn=warnings.append).step == 8
    assert warnings == ["From step 4 on: train.steps=8."]
    assert read_run(out).train.steps == 8
    assert [change.step for change in read_run(out).changes] == [0, 4]
    shutil.rmtree(RunFolder(out).checkpoint(8))
    result = run.resume(out, device="cpu", warn=warnings.append)
    assert (result.step, result.finished) == (8, True) and len(warnings) == 1
    with pytest.raises(InvalidConfigError, match="here 8, got steps=6"):
        run.resume(out, steps=6, device="cpu")
