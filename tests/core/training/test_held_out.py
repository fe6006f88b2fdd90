"""Held-out pictures: which they are, that training never sees them, best/, and an early end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import t2i
from fakes.models import FakeTextEncoder
from fakes.training import write_squares
from t2i.data.held_out import held_out
from t2i.data.prepare import PreparedData
from t2i.errors import DataError
from t2i.images import from_uint8
from t2i.progress import silent
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec
from t2i.runs.folder import RunFolder
from t2i.testing.checks.roles.models import objective
from t2i.testing.checks.tiny_training import started, tiny_batch, tiny_data
from t2i.training import run
from t2i.training.parent import settings_from
from t2i.training.report.curves import read_rows
from t2i.training.report.memorisation import memorisation
from t2i.training.report.samples import default_samples
from t2i.training.run_data import open_data, prepared
from t2i.training.sampling import Sampler
from t2i.training.settings import checked
from t2i.training.validation_scores import Validator, best_step, is_exhausted

TECHNIQUES = sorted(spec.name for spec, _ in registry().all(ModelSpec) if spec.objective)
TRAIN = {"batch_size": 4, "tracker": "none", "checkpoint_every": 4, "sample_every": 4, "log_every": 2}
VALIDATION = {"validation": 0.3, "validate_every": 2, "validation_metrics": ("kid",)}


def test_about_the_share_is_held_out_and_stays_so() -> None:
    ids = [f"{number}.png" for number in range(1000)]
    chosen = held_out(ids, np.arange(1000), None, 0.1)
    assert 70 < chosen.sum() < 130
    more = held_out([*ids, "new.png"], np.arange(1001), None, 0.1)
    assert (more[:1000] == chosen).all()
    order = np.random.default_rng(0).permutation(1000)
    assert (held_out([ids[place] for place in order], np.arange(1000), None, 0.1) == chosen[order]).all()
    assert chosen[held_out(ids, np.arange(1000), None, 0.05)].all()  # a larger share holds the smaller one


def test_groups_and_equal_pictures_are_never_split() -> None:
    rng = np.random.default_rng(0)
    groups, looks = rng.integers(60, size=300), rng.integers(250, size=300)
    looks[groups >= 30] += 1000  # equal pictures connect groups only within each half
    chosen = held_out([str(number) for number in range(300)], groups, looks, 0.3)
    for labels in (groups, looks):
        assert all(len(set(chosen[labels == label])) == 1 for label in labels)
    assert 0 < chosen.sum() < 300


@pytest.mark.parametrize("share", [0.0001, 0.4999])
def test_two_pictures_are_one_and_one(share: float) -> None:
    assert held_out(["a", "b"], [0, 1], None, share).sum() == 1


def test_pictures_that_all_belong_together_cannot_be_held_out() -> None:
    with pytest.raises(DataError, match=r"all 3 belong together.*train\.validation="):
        held_out(["a", "b", "c"], [0, 0, 1], [1, 2, 2], 0.1)


@pytest.mark.parametrize("balance", ["image", "group"])
def test_training_sees_no_picture_and_no_caption_that_is_held_out(balance: Any) -> None:
    data = many(40).holding_out(0.3)
    assert data.held_out is not None
    hidden = set(np.flatnonzero(data.held_out).tolist())
    sampler = Sampler(data, 7, 0, balance)
    seen: set[int] = set()
    for step in range(30):
        draw = sampler.draw(step)
        assert draw.mismatched is not None
        seen |= {*draw.pictures.tolist(), *draw.captions.tolist(), *draw.mismatched.tolist()}
    assert seen == set(range(40)) - hidden  # picture i has caption i
    assert not {*sampler.still(16).pictures.tolist()} & hidden
    assert not {f"colour {number}" for number in hidden} & {*default_samples(data).prompts}


def many(count: int) -> PreparedData:
    data = tiny_data(t2i.create_model("cgan", **run.read_recipe("cgan", "tiny")["model"], text_dim=8), count)
    return replace(data, ids=[f"{number}.png" for number in range(count)])


@pytest.mark.parametrize("technique", TECHNIQUES)
def test_every_technique_has_terms_for_held_out_pictures(technique: str) -> None:
    made = objective(registry().get(ModelSpec, technique)[0])
    torch.manual_seed(0)
    for phase in started(made):
        for module in {made.generator, *(m for p in phase.players for m in p.modules.values())}:
            module.eval()
        if phase.validate is None:  # no term compares with the caption's own picture
            assert technique in ("dfgan", "diffusers-lora")
            continue
        before = {name: tensor.clone() for name, tensor in made.generator.state_dict().items()}
        with torch.no_grad():
            terms = phase.validate(tiny_batch(made))
        assert terms and all(term.ndim == 0 and term.isfinite() for term in terms.values())
        assert all(torch.equal(before[name], tensor) for name, tensor in made.generator.state_dict().items())


@pytest.fixture(scope="module")
def made(fakes_installed_for_module: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    data = write_squares(tmp_path_factory.mktemp("data") / "squares")
    recipe = run.read_recipe("cgan", "tiny") | {"technique": "cgan", "data": str(data), "text_encoder": "fake"}
    return recipe | {"train": TRAIN | VALIDATION | {"steps": 8}}


@pytest.fixture(scope="module")
def validated(made: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of eight steps with a validation at every second one."""
    out = tmp_path_factory.mktemp("run") / "run"
    result = run.start(made | {"train": made["train"] | {"validation_metrics": ()}}, out, device="cpu")
    assert result.finished and result.best is not None
    return out


def test_the_best_step_is_a_model_and_a_parent(validated: Path) -> None:
    rows = [row for row in read_rows(RunFolder(validated).metrics) if "validation/reconstruction" in row]
    assert [row["step"] for row in rows] == [2, 4, 6, 8]
    best = min(rows, key=lambda row: row["validation/reconstruction"])
    model = t2i.from_pretrained(str(validated / "best"))
    assert model.resolution == 16
    record = yaml.safe_load((validated / "best" / "config.json").read_text())
    assert record["facts"]["steps"] == best["step"]
    assert settings_from(str(validated / "best"))["objective"]["reconstruction"] == 1.0
    assert not [path for path in validated.iterdir() if path.name.startswith(".best")]


def test_validation_does_not_change_the_training(made: dict[str, Any], validated: Path, tmp_path: Path) -> None:
    settings = made | {"train": made["train"] | {"validate_every": 8, "validation_metrics": ()}}
    run.start(settings, tmp_path / "run", device="cpu")
    weights = "checkpoints/step-00000008/snapshot/model.safetensors"
    assert (tmp_path / "run" / weights).read_bytes() == (validated / weights).read_bytes()


def test_a_resumed_run_validates_as_an_uninterrupted_one(made: dict[str, Any], validated: Path, tmp_path: Path) -> None:
    settings = made | {"train": made["train"] | {"validation_metrics": (), "steps": 4}}
    run.start(settings, tmp_path / "run", device="cpu")
    run.resume(tmp_path / "run", steps=8, device="cpu")
    rows, whole = (
        [row["validation/reconstruction"] for row in read_rows(RunFolder(folder).metrics) if row["step"] % 2 == 0]
        for folder in (tmp_path / "run", validated)
    )
    assert rows == whole and len(rows) == 4


def test_held_out_pictures_are_read_at_the_first_validation(
    made: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before the first step, which would wait for it."""
    rows: list[int] = []

    def counted(*arguments: Any) -> Validator:
        rows.append(len([*read_rows(RunFolder(tmp_path / "run").metrics)]))
        return Validator(*arguments)

    monkeypatch.setattr("t2i.training.trainer.Validator", counted)
    train = made["train"] | {"validation_metrics": (), "validate_every": 4, "steps": 4, "sample_every": 0}
    run.start(made | {"train": train}, tmp_path / "run", device="cpu")
    assert rows == [1]


def test_an_own_dataset_can_be_the_held_out_one(made: dict[str, Any], tmp_path: Path) -> None:
    other = write_squares(tmp_path / "other")
    said: list[str] = []
    train = made["train"] | {"validation": str(other), "steps": 2, "validation_metrics": ("no such evaluator",)}
    assert run.start(made | {"train": train}, tmp_path / "run", device="cpu", warn=said.append).best == 2
    assert any("goes on without no such evaluator" in line for line in said)


def rows(*values: float) -> list[dict[str, float]]:
    return [{"step": 10.0 * place, "validation/error": value} for place, value in enumerate(values, start=1)]


def test_patience_counts_validations_after_the_best_one() -> None:
    assert best_step(rows(3, 2, 4), 0) == 20 and best_step(rows(1, 3, 2), 10) == 30 and best_step([], 0) is None
    assert not is_exhausted(rows(3, 2, 4), 2, 0) and is_exhausted(rows(3, 2, 4, 5), 2, 0)
    assert not is_exhausted(rows(3, 2, 4, 5), 0, 0) and not is_exhausted(rows(3, 2, 4, 5), 2, 25)
    scored = [row | {"held_out/kid": -row["validation/error"]} for row in rows(3, 2, 4)]
    assert best_step(scored, 0) == 30  # KID decides if it is measured


def test_a_run_ends_early_and_says_so(made: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "t2i.training.validation_scores.measure", lambda row: row.get("validation/reconstruction") and row["step"]
    )
    said: list[str] = []
    train = made["train"] | {"patience": 1, "steps": 40, "validation_metrics": ()}
    result = run.start(made | {"train": train}, tmp_path / "run", device="cpu", warn=said.append)
    assert result.finished and result.best == 2 and result.step == 4
    assert any("Ended early at step 4 of 40" in line for line in said)
    assert run.resume(tmp_path / "run", device="cpu").step == 4
    assert run.resume(tmp_path / "run", assignments=["train.patience=0"], steps=8, device="cpu").step == 8


def test_an_early_end_is_final_and_leaves_the_page_the_curves_and_samples(
    made: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plots: None
) -> None:
    """Step 2 is worse than step 1, and step 3 would be the best of all, but is not taken."""
    measures = {1: 2.0, 2: 3.0, 3: 1.0}
    monkeypatch.setattr("t2i.training.validation_scores.measure", lambda row: measures.get(int(row["step"])))
    train = made["train"] | {"patience": 1, "validate_every": 1, "steps": 40, "sample_every": 30}
    out = tmp_path / "run"
    result = run.start(made | {"train": train | {"validation_metrics": ()}}, out, device="cpu")
    assert (result.finished, result.step, result.best) == (True, 2, 1)
    assert "near copies" in result.copies
    for name in ("index.html", "losses.png", "samples/step-00000002.png", "best/model.safetensors"):
        assert (out / name).is_file(), name
    assert run.resume(out, device="cpu").finished


@pytest.mark.parametrize("where", ["relative", "absolute", "reader"])
def test_another_split_of_the_folder_is_validated_on(
    made: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    write_squares(tmp_path / "splits" / "train")
    write_squares(tmp_path / "splits" / "validation")
    monkeypatch.chdir(tmp_path)
    source = {"relative": "splits", "absolute": str(tmp_path / "splits"), "reader": "folder:splits"}[where]
    config = checked(made | {"data": source, "train": made["train"] | {"validation": ":validation"}})
    data, validation = prepared(config, open_data(config.data), 16, FakeTextEncoder(), silent, print)
    assert (data.name, len(data.images), data.held_out) == ("folder:splits:train", 8, None)
    assert validation is not None and validation.name == "folder:splits:validation"


def test_a_finished_run_compares_its_pictures_with_the_training_pictures(validated: Path) -> None:
    page = (validated / "index.html").read_text()
    assert (validated / "nearest.png").is_file() and "near copies of a training picture" in page
    assert "to the first pictures" in page and "peak memory" in page and "on disk" in page


def test_copies_are_counted() -> None:
    data = replace(many(30), images=torch.randint(256, (30, 3, 16, 16), dtype=torch.uint8))
    real = from_uint8(data.images)
    drawn = torch.cat([real[[4, 7]], torch.rand(6, 3, 16, 16) * 2 - 1])
    found = memorisation(data, drawn)
    assert found.copies == 2 and found.nearest[:2].tolist() == [4, 7] and "2 of 8 pictures" in str(found)
    hidden = replace(data, held_out=np.isin(np.arange(30), [4, 7]))
    assert memorisation(hidden, drawn).copies == 0
