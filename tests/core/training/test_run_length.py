"""How long a run is, in steps or in time, and what follows from that; what a person sets wins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from fakes.training import write_squares
from t2i.training.defaults.recommend import length
from t2i.training.settings import LENGTH
from t2i.training.trainer import TrainResult

SMALL = (
    *("model.resolution=16", "model.widths=[16, 8]", "model.condition_dim=16", "model.hidden_dim=16"),
    *("objective.discriminator_widths=[8, 8]", "train.batch_size=4", "train.tracker=none", "text_encoder=fake"),
)
GIVEN = {"sample_every": 7, "log_every": 3, "checkpoint_every": 11, "sample_first": 2}
ASSIGNED = tuple(f"train.{name}={value}" for name, value in GIVEN.items())

pytestmark = pytest.mark.usefixtures("fakes_installed", "t2i_cache")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_squares(tmp_path / "squares")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A step takes 0.25 s; holds the seconds that each measurement might take."""
    asked: list[float] = []

    def step_time(*arguments: Any) -> float:
        asked.append(arguments[-1])
        return 0.25

    monkeypatch.setattr("t2i.training.run.seconds_a_step", step_time)
    return asked


def settings_of(run: Path) -> dict[str, Any]:
    train: dict[str, Any] = yaml.safe_load((run / "run.yaml").read_text())["train"]
    return train


def test_the_settings_that_follow_from_the_length_are_named() -> None:
    assert {f"train.{name}" for name in LENGTH} == {choice.setting for choice in length(50, 0.1, 60, 16)}


@pytest.mark.parametrize("how", [("--time", "6s"), ("--steps", 24), ("--time", "6s", "--recipe", "tiny")])
def test_what_is_set_wins(t2i: T2I, data: Path, out: Path, measured: list[float], how: tuple[Any, ...]) -> None:
    small = SMALL[5:] if "--recipe" in how else SMALL
    result = t2i("train", "cgan", *small, *ASSIGNED, *how, "--data", data, "--out", out, "--device", "cpu")
    assert result.code == 0, result.err
    train = settings_of(out)
    assert train["steps"] == 24 and {name: train[name] for name in GIVEN} == GIVEN
    assert not [name for name in GIVEN if f"train.{name}=" in result.err]


def test_without_a_length_what_is_set_wins(
    t2i: T2I, data: Path, out: Path, measured: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("t2i.training.run.MINUTES", 0.1)
    result = t2i("train", "cgan", *SMALL, *ASSIGNED, "--data", data, "--out", out, "--device", "cpu")
    assert result.code == 0, result.err
    train = settings_of(out)
    assert train["steps"] == 24 and {name: train[name] for name in GIVEN} == GIVEN


def test_time_replaces_a_recipes_length(t2i: T2I, data: Path, out: Path, measured: list[float]) -> None:
    how = ("--recipe", "tiny", "--time", "2s", *SMALL[5:])
    assert t2i("train", "cgan", *how, "--data", data, "--out", out, "--device", "cpu").code == 0
    train = settings_of(out)
    assert (train["steps"], train["sample_every"], train["checkpoint_every"], train["log_every"]) == (8, 8, 8, 1)


@pytest.mark.parametrize("where", ["setting", "flag", "file"])
def test_steps_and_time_are_one_too_many(t2i: T2I, data: Path, out: Path, tmp_path: Path, where: str) -> None:
    (tmp_path / "mine.yaml").write_text("train: {steps: 3}\n")
    steps = {"setting": ("train.steps=3",), "flag": ("--steps", 3), "file": ("--config", tmp_path / "mine.yaml")}
    result = t2i("train", "cgan", *steps[where], "--time", "6s", "--data", data, "--out", out)
    assert result.code == 2 and "--steps or --time, not both" in result.error
    assert not out.exists()


def test_given_steps_are_measured_and_estimated(t2i: T2I, data: Path, out: Path, measured: list[float]) -> None:
    result = t2i("train", "cgan", *SMALL, "--steps", 60, "--data", data, "--out", out, "--device", "cpu")
    assert result.code == 0, result.err
    assert "train.steps=60 " in result.err and "0.25 s a step on this device: about 15 s" in result.err
    train = settings_of(out)
    assert [train[name] for name in LENGTH] == [60, 60, 60, 60, 1]
    assert measured == [0.5]  # a brief measurement


def test_given_steps_are_kept_if_pictures_are_only_memorised(
    t2i: T2I, data: Path, out: Path, measured: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("t2i.training.defaults.rules.MOST_VISITS", 2)
    result = t2i("train", "cgan", *SMALL, "--steps", 30, "--data", data, "--out", out, "--device", "cpu")
    assert result.code == 0 and settings_of(out)["steps"] == 30


def test_few_steps_are_not_measured(t2i: T2I, data: Path, out: Path, measured: list[float]) -> None:
    result = t2i("train", "cgan", *SMALL, "--steps", 10, "--data", data, "--out", out, "--device", "cpu")
    assert result.code == 0 and not measured and "a step on this device" not in result.err


def test_a_measurement_of_given_steps_is_brief(
    t2i: T2I, data: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes at most the steps that it announces; the run itself is left out."""
    taken: list[int] = []
    monkeypatch.setattr("t2i.training.steps.Steps.take", lambda self, step: taken.append(step))
    monkeypatch.setattr("t2i.training.trainer.Trainer.fit", lambda self: TrainResult(self.run, 0, finished=True))
    t2i("train", "cgan", *SMALL, "--steps", 60, "--data", data, "--out", out, "--device", "cpu")
    assert len(taken) == 10  # five of each of its two phases


def test_given_steps_are_measured_once_on_a_machine(
    t2i: T2I, data: Path, tmp_path: Path, t2i_cache: Path, measured: list[float]
) -> None:
    def train(name: str, *how: Any) -> None:
        assert t2i("train", "cgan", *SMALL, *how, "--data", data, "--out", tmp_path / name, "--device", "cpu").code == 0

    train("first", "--steps", 30)
    train("second", "--steps", 40)
    assert len(measured) == 1
    train("other settings", "--steps", 30, "train.batch_size=5")
    train("a length in time", "--time", "6s")
    assert len(measured) == 3
    for entry in (t2i_cache / "step_times").iterdir():
        entry.write_text("[")
    train("an unreadable entry", "--steps", 30)
    assert len(measured) == 4
