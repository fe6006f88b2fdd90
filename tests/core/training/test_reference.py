"""A reference made from a run, and other runs compared with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from t2i.errors import TrainingError
from t2i.registry.describe import list_models
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec
from t2i.training.report import reference
from t2i.training.report.reference import COSMETIC, compare, write_reference
from t2i.training.settings import checked, read_recipe, recipe_path


def shipped_recipes(technique: str) -> dict[str, Path]:
    """The files of a technique's recipes."""
    spec, _ = registry().get(ModelSpec, technique)
    return {recipe: recipe_path(spec, recipe) for recipe in spec.recipes}


def make_run(folder: Path, losses: list[float], recipe: str = "tiny", **train: Any) -> Path:
    """A run folder that logged these losses, one row every ten steps."""
    folder.mkdir()
    settings = read_recipe("cgan", "tiny") | {"technique": "cgan", "data": "x", "recipe": recipe}
    settings["train"] |= train
    (folder / "run.yaml").write_text(yaml.safe_dump(checked(settings).model_dump(mode="json")))
    rows = [
        {"step": 10 * (index + 1), "generator/adversarial": loss, "waiting/for_data": 0.5, "gradient/generator": 1.0}
        for index, loss in enumerate(losses)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recipe "tiny" ships the reference of a run whose loss falls from 1 to 0.01."""
    recipe = tmp_path / "recipes" / "tiny.yaml"
    recipe.parent.mkdir()
    monkeypatch.setattr(reference, "recipe_path", lambda spec, name: recipe.with_stem(name))
    path = recipe.with_suffix(".reference.jsonl")
    write_reference(make_run(tmp_path / "made", [1 - 0.01 * i for i in range(100)]), path)
    return path


def test_a_reference_holds_only_settings_and_losses(shipped: Path) -> None:
    first, *rows = [json.loads(line) for line in shipped.read_text().splitlines()]
    assert first["settings"]["model"]["resolution"] == 16 and first["settings"]["train"]["batch_size"] == 8
    assert len(rows) == 100
    assert rows[4] == {"step": 50, "generator/adversarial": pytest.approx(0.96)}


def test_a_long_run_is_reduced_to_window_means(tmp_path: Path) -> None:
    write_reference(make_run(tmp_path / "run", [float(i) for i in range(1000)]), tmp_path / "x.reference.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "x.reference.jsonl").read_text().splitlines()[1:]]
    assert len(rows) == 200
    assert rows[1] == {"step": 100, "generator/adversarial": (5 + 6 + 7 + 8 + 9) / 5}


def test_the_same_run_has_ratios_of_1(tmp_path: Path, shipped: Path) -> None:
    head, row = compare(tmp_path / "made").splitlines()
    assert head.split()[-4:] == ["reference", "run", "/", "ref."] and row.split()[-1] == "1.000"


def test_a_run_is_compared_at_the_last_common_steps(tmp_path: Path, shipped: Path) -> None:
    """Half-way: rows 45 to 50 of both, here twice as high; later steps are not compared."""
    run = make_run(tmp_path / "mine", [2 * (1 - 0.01 * i) for i in range(50)], batch_size=4, log_every=7)
    head, row, *rest = compare(run).splitlines()
    assert "around step 475" in head
    mine = sum(2 * (1 - 0.01 * i) for i in range(44, 50)) / 6
    name, ours, theirs, ratio = row.split()
    assert (name, float(ours), float(theirs)) == (
        "generator/adversarial",
        pytest.approx(mine, rel=1e-3),
        pytest.approx(mine / 2, rel=1e-3),
    )
    assert ratio == "2.000"
    assert rest == ["differs: train.batch_size is 4, the reference's 8"]
    with Image.open(run / "reference.png") as picture:
        picture.load()
        assert picture.format == "PNG"


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ("paper", "The recipe 'paper' of cgan ships no reference curve.*t2i reference write RUN"),
        ("", "began without a recipe"),
        ("mine.yaml", "began with the file mine.yaml. Start one with --recipe NAME"),
    ],
)
def test_a_missing_reference_is_a_one_sentence_error(tmp_path: Path, shipped: Path, recipe: str, sentence: str) -> None:
    with pytest.raises(TrainingError, match=sentence):
        compare(make_run(tmp_path / "run", [1.0], recipe=recipe))


def test_nothing_to_compare_is_a_one_sentence_error(tmp_path: Path, shipped: Path) -> None:
    with pytest.raises(TrainingError, match="not a run folder"):
        compare(tmp_path / "none")
    with pytest.raises(TrainingError, match="has logged no loss yet"):
        compare(make_run(tmp_path / "run", []))


SHIPPED = {
    path.with_suffix(".reference.jsonl"): (technique, recipe)
    for technique in list_models()
    for recipe, path in shipped_recipes(technique).items()
    if path.with_suffix(".reference.jsonl").is_file()
}


def test_every_shipped_reference_belongs_to_a_recipe() -> None:
    folders = {path.parent for technique in list_models() for path in shipped_recipes(technique).values()}
    found = {path for folder in folders for path in folder.glob("*.reference.jsonl")}
    assert found == set(SHIPPED) and len({technique for technique, _ in SHIPPED.values()}) >= 8


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: "-".join(SHIPPED[path]))
def test_a_shipped_reference_was_made_with_the_settings_of_its_recipe(path: Path) -> None:
    """All that the recipe sets, but what does not change the losses; and `auto` is stored as what it chose."""
    settings, recipe = json.loads(path.read_text().splitlines()[0])["settings"], read_recipe(*SHIPPED[path])
    assert settings.keys() == {"model", "objective", "train"}
    assert recipe["train"].pop("precision") == "auto" and settings["train"].pop("precision") in ("bf16", "no")
    different = {
        f"{section}.{name}"
        for section in settings
        for name, value in recipe[section].items()
        if name not in COSMETIC and not _holds(settings[section][name], value)
    }
    assert not different


def _holds(stored: Any, wanted: Any) -> bool:
    """Whether they are equal, or all fields of `wanted` are."""
    if isinstance(wanted, dict):
        return all(_holds(stored[name], value) for name, value in wanted.items())
    return bool(stored == wanted)
