"""Fine-tuning: the settings and weights of a run that starts from another model, and frozen parameters."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import t2i
from fakes.models import FakeTextEncoder
from fakes.training import state_of, write_squares
from t2i.errors import EncoderMismatchError, InvalidConfigError, TrainingError
from t2i.runs.checkpoints import latest_checkpoint
from t2i.snapshots.load import load_generator
from t2i.snapshots.resolve import resolve
from t2i.training import run
from t2i.training.parent import LR_FACTOR, settings_from, start_from
from t2i.training.settings import merge, read_run
from t2i.training.trainer import Trainer
from t2i_cgan.config import CGANConfig, CGANObjectiveConfig
from t2i_cgan.generator import ConditionalGAN
from t2i_cgan.training import CGANObjective

TRAIN = {"steps": 2, "batch_size": 4, "tracker": "none", "checkpoint_every": 2, "sample_every": 0, "log_every": 2}


@pytest.fixture(scope="module")
def parent(fakes_installed_for_module: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps."""
    folder = tmp_path_factory.mktemp("parent")
    data = write_squares(folder / "squares")
    recipe = run.read_recipe("cgan", "tiny") | {"technique": "cgan", "data": str(data), "text_encoder": "fake"}
    run.start(recipe | {"train": TRAIN | {"sample_options": {"truncation": 0.5}}}, folder / "run", device="cpu")
    return folder / "run"


def fine_tuned(parent: str, out: Path, **train: Any) -> Path:
    data = str(Path(parent).parent / "squares") if "/" in parent else ""
    settings = merge(settings_from(parent), {"data": data, "train": TRAIN | train})
    run.start(settings, out, device="cpu")
    return out


def objective(**shape: Any) -> CGANObjective:
    recipe = run.read_recipe("cgan", "tiny")
    torch.manual_seed(1)
    generator = ConditionalGAN(CGANConfig.model_validate(recipe["model"] | {"text_dim": 8} | shape))
    return CGANObjective(generator, CGANObjectiveConfig.model_validate(recipe["objective"]))


def test_settings_are_those_of_the_parent(parent: Path) -> None:
    settings, theirs = settings_from(str(parent)), read_run(parent)
    assert (settings["technique"], settings["text_encoder"]) == ("cgan", "fake")
    assert settings["model"] == theirs.model and settings["objective"] == theirs.objective
    assert settings["train"] == {"lr_factor": LR_FACTOR, "sample_options": {"truncation": 0.5}}


def test_the_licence_of_the_parent_is_kept() -> None:
    assert settings_from("cgan.world64")["parent_license"] == "CC-BY-SA-4.0"


def test_all_networks_start_with_the_parents_weights(parent: Path) -> None:
    """The generator from the parent's average, and the discriminator from its checkpoint."""
    tuned, told = objective(), []
    start_from(str(parent), tuned, FakeTextEncoder().identity, told.append)
    wanted = load_generator(resolve(str(parent))).state_dict()
    assert all(torch.equal(value, wanted[name]) for name, value in tuned.generator.state_dict().items())
    tensors = latest_checkpoint(parent).tensors()
    for name, value in tuned.discriminator.state_dict().items():
        assert torch.equal(value, tensors[f"module.discriminator.{name}"])
    assert told == []


def test_missing_discriminator_weights_of_a_snapshot_are_reported(parent: Path, tmp_path: Path) -> None:
    shutil.copytree(latest_checkpoint(parent).snapshot, tmp_path / "snapshot")
    told: list[str] = []
    start_from(str(tmp_path / "snapshot"), objective(), FakeTextEncoder().identity, told.append)
    assert told == [
        f"discriminator: {tmp_path / 'snapshot'} has no weights that fit, so training starts from new ones."
    ]
    assert settings_from(str(tmp_path / "snapshot"))["objective"] == {}


def test_other_networks_and_another_encoder_are_refused(parent: Path) -> None:
    with pytest.raises(InvalidConfigError, match="must have its technique and its model settings"):
        start_from(str(parent), objective(widths=(8, 16)), FakeTextEncoder().identity, lambda message: None)
    other = replace(FakeTextEncoder().identity, name="other")
    with pytest.raises(EncoderMismatchError):
        start_from(str(parent), objective(), other, lambda message: None)


def test_a_fine_tuned_run_records_its_parent_also_after_a_resume(parent: Path, tmp_path: Path) -> None:
    out = fine_tuned(str(parent), tmp_path / "tuned")
    sha256 = resolve(str(parent)).config.weights_sha256
    assert (read_run(out).parent, read_run(out).parent_sha256) == (str(parent), sha256)
    run.resume(out, steps=3, device="cpu")
    config = resolve(str(out)).config
    assert config.facts.parent == f"{parent}, sha256 {sha256}" and config.facts.steps == 3
    identity = t2i.pipeline(str(out), device="cpu").identity
    assert identity.parent == config.facts.parent  # drawn pictures carry it
    assert read_run(out).parent_license == ""  # the parent's data has no known licence
    assert "fine-tuned from" in (latest_checkpoint(out).snapshot / "README.md").read_text()


@pytest.fixture
def interrupted(parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fine-tuned run that ended before its first checkpoint."""

    def stop(_: Trainer) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Trainer, "fit", stop)
        fine_tuned(str(parent), tmp_path / "interrupted")
    return tmp_path / "interrupted"


def test_a_run_without_a_checkpoint_is_resumed_from_its_parent(parent: Path, interrupted: Path, tmp_path: Path) -> None:
    run.resume(interrupted, device="cpu")
    resumed, whole = state_of(interrupted), state_of(fine_tuned(str(parent), tmp_path / "whole"))
    assert all(torch.equal(resumed[name], value) for name, value in whole.items())


def test_a_parent_that_has_changed_since_is_refused(parent: Path, interrupted: Path) -> None:
    settings = interrupted / "run.yaml"
    settings.write_text(settings.read_text().replace(read_run(interrupted).parent_sha256, "a" * 64))
    with pytest.raises(TrainingError, match=f"began with .* of sha256 {'a' * 64}, but now"):
        run.resume(interrupted, device="cpu")


def test_the_rate_is_lower_by_its_factor(parent: Path, tmp_path: Path) -> None:
    """Adam's first step changes every weight by the rate, for any gradient."""
    moved = []
    for factor in (1.0, 0.1):
        out = fine_tuned(str(parent), tmp_path / str(factor), steps=1, checkpoint_every=1, lr_factor=factor)
        state, before = state_of(out), latest_checkpoint(parent).tensors()
        name = "module.discriminator.text.parametrizations.weight.original"
        moved.append((state[name] - before[name]).abs().max().item())
    assert moved[1] == pytest.approx(0.1 * moved[0], rel=0.05)


def test_frozen_parameters_do_not_change(parent: Path, tmp_path: Path) -> None:
    out = fine_tuned(str(parent), tmp_path / "tuned", freeze=["generator.network.condition"], ema_half_life_kimg=0)
    before, after = load_generator(resolve(str(parent))).state_dict(), load_generator(resolve(str(out))).state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and not any(name.startswith("network.condition.") for name in changed)


@pytest.mark.parametrize(
    ("freeze", "says"),
    [
        (["generator.netwrk"], r"got 'generator.netwrk'. Did you mean 'generator.network'"),
        (["generator"], r"train.freeze=\['generator'\] freezes all of 'generator'"),
    ],
)
def test_an_invalid_freeze_is_a_one_sentence_error(parent: Path, tmp_path: Path, freeze: list[str], says: str) -> None:
    with pytest.raises(InvalidConfigError, match=says):
        fine_tuned(str(parent), tmp_path / "tuned", freeze=freeze)
