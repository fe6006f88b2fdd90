"""Tests of every trainable technique's declarations and recipes, in addition to its own tests."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from pydantic import BaseModel

from t2i.config import parse_config
from t2i.create import create_model
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, load_target
from t2i.testing.checks.generators import (
    a_picture_does_not_depend_on_its_neighbours,
    a_picture_does_not_depend_on_its_place_in_the_batch,
    the_drawing_twin_draws_the_same,
)
from t2i.training.config import TrainConfig
from t2i.training.run import read_recipe
from t2i.uninitialised import Uninitialised

TECHNIQUES = {
    "cgan": ("openmoji64", "own", "own-shared", "paper", "tiny", "world64"),
    "stackgan": ("openmoji64", "own", "paper", "tiny", "world64"),
    "stackgan-v2": ("openmoji64", "own", "paper", "tiny", "world64"),
    "dfgan": ("own", "paper", "tiny", "world64"),
    "cvae": ("openmoji64", "own", "paper", "tiny", "world64"),
    "layers": ("own", "tiny", "world64", "world64-pairs", "world64-prompts", "world64-single"),
    "transformer": ("openmoji64", "own", "paper", "tiny", "world64"),
}
MIB = 2**20
WORLD64 = {"layers": ("openmoji-world:train-100k", 672_000)}  # data and pictures; of all others below


def test_declaring_imports_no_torch() -> None:
    code = """
import importlib, sys
names = sys.argv[1:]
for name in names:
    plugin = importlib.import_module(f"{name}.plugin")
    for hook in [value for key, value in vars(plugin).items() if key.startswith("t2i_")]:
        hook()
assert "pydantic" not in sys.modules
for name in names:
    importlib.import_module(f"{name}.config")
assert "torch" not in sys.modules
"""
    names = sorted({spec.config.partition(".")[0] for spec, _ in registry().all(ModelSpec)})
    assert len(names) == 9 and {"t2i_attngan", "t2i_flow"} < {*names}  # vaegan's config is cvae's
    subprocess.run([sys.executable, "-c", code, *names], check=True)


@pytest.mark.parametrize("name", TECHNIQUES)
def test_everything_a_spec_names_exists(name: str) -> None:
    spec, plugin = registry().get(ModelSpec, name)
    assert plugin.distribution.replace("-", "_") == load_target(spec.target).__module__.partition(".")[0]
    generator = load_target(spec.target)
    assert generator.technique == name and generator.config_type is load_target(spec.config)
    assert tuple(sorted(spec.recipes)) == TECHNIQUES[name]


@pytest.mark.parametrize(("name", "recipe"), [(name, recipe) for name in TECHNIQUES for recipe in TECHNIQUES[name]])
def test_a_recipe_makes_its_objective(name: str, recipe: str) -> None:
    """Generators for 64 px fit into 16 MiB, those of world64 in half precision; recipes world64 share one budget, which
    only the layers exceed: their first two parts are cheaper."""
    spec, _ = registry().get(ModelSpec, name)
    values = read_recipe(name, recipe)
    assert set(values) <= {"data", "model", "objective", "train"}
    with torch.device("meta"), Uninitialised():  # takes no memory, and no time to initialise weights
        generator = load_target(spec.target)(parse_config(load_target(spec.config), values.get("model", {}), recipe))
        settings = parse_config(load_target(spec.objective_config), values["objective"], recipe)
        assert load_target(spec.objective)(generator, settings).phases
    train = parse_config(TrainConfig, values.get("train", {}), recipe)
    assert train.precision == "auto"
    if recipe.startswith(("openmoji64", "world64")):
        values_kept = sum(tensor.numel() for tensor in generator.state_dict().values())
        assert generator.resolution == 64 and values_kept * (2 if recipe.startswith("world64") else 4) <= 16 * MIB
    if recipe == "world64":
        found = values["data"], train.steps * train.batch_size
        assert found == WORLD64.get(name, ("openmoji-world:everyday", 128_000))


def _without_meaning(config: type[BaseModel], prefix: str) -> list[str]:
    found = []
    for name, field in config.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found += _without_meaning(field.annotation, f"{prefix}{name}.")
        elif not field.description:
            found.append(prefix + name)
    return found


@pytest.mark.parametrize("name", [spec.name for spec, _ in registry().all(ModelSpec)])
def test_every_setting_has_a_meaning(name: str) -> None:
    spec, _ = registry().get(ModelSpec, name)
    sections = {"model.": load_target(spec.config), "objective.": load_target(spec.objective_config)}
    sections["train."] = TrainConfig
    assert not [missing for prefix, config in sections.items() for missing in _without_meaning(config, prefix)]


WIDTH_MATTERS = [  # kernels round differently at other widths
    a_picture_does_not_depend_on_its_place_in_the_batch,
    a_picture_does_not_depend_on_its_neighbours,
    the_drawing_twin_draws_the_same,
]


@pytest.mark.parametrize("name", TECHNIQUES)
def test_at_the_default_width_a_picture_does_not_depend_on_its_batch(name: str) -> None:
    """The other checks do not depend on the width; each plugin's tests run them on a tiny generator."""
    torch.manual_seed(0)
    generator = create_model(name)
    for check in WIDTH_MATTERS:
        check(generator)
