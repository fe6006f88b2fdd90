"""The plugin's declarations and its settings."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
import torch
import yaml

from t2i.config import parse_config
from t2i.errors import InvalidConfigError
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, load_target
from t2i.training.config import TrainConfig
from t2i_flow.config import FlowConfig, FlowObjectiveConfig, FlowOptions
from t2i_flow.generator import FlowTransformer
from t2i_flow.training import FlowObjective

RECIPES = ("own", "paper", "tiny", "world64")
LARGEST = 8 * 2**20  # parameters: 16 MiB in float16


def test_everything_the_spec_names_exists() -> None:
    spec, plugin = registry().get(ModelSpec, "flow")
    assert plugin.distribution == "t2i-flow" and spec.kind == "diffusion"
    targets = [load_target(target) for target in (spec.target, spec.config, spec.objective, spec.objective_config)]
    assert targets == [FlowTransformer, FlowConfig, FlowObjective, FlowObjectiveConfig]
    assert set(spec.recipes) == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_have_only_known_fields(name: str) -> None:
    recipe = yaml.safe_load((files("t2i_flow") / f"recipes/{name}.yaml").read_text())
    assert set(recipe) <= {"data", "model", "objective", "train"}
    with torch.device("meta"):
        generator = FlowTransformer(parse_config(FlowConfig, recipe["model"], name))
    FlowObjective(generator, parse_config(FlowObjectiveConfig, recipe["objective"], name))
    train = parse_config(TrainConfig, recipe.get("train", {}), name)
    parse_config(FlowOptions, train.sample_options, name)
    assert name == "paper" or sum(parameter.numel() for parameter in generator.parameters()) <= LARGEST


def test_the_recipe_paper_has_the_papers_settings() -> None:
    """JiT-B/16 (Li and He 2025, tables 8 and 9); its times are 1 - ours."""
    recipe = yaml.safe_load((files("t2i_flow") / "recipes/paper.yaml").read_text())
    model = FlowConfig.model_validate(recipe["model"])
    game = FlowObjectiveConfig.model_validate(recipe["objective"])
    train = TrainConfig.model_validate(recipe["train"])
    assert (model.resolution, model.patch, model.bottleneck) == (256, 16, 128)
    assert (model.dim, model.depth, model.heads) == (768, 12, 12)
    assert (game.time_mean, game.time_std, game.least_noise, game.condition_dropout) == (0.8, 0.8, 0.05, 0.1)
    assert (game.optimizer.lr, game.optimizer.beta1, game.optimizer.beta2) == (2e-4, 0.9, 0.95)
    assert (game.optimizer.weight_decay, game.optimizer.schedule, train.batch_size) == (0, "constant", 1024)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (FlowConfig, {"resolutoin": 64}),
        (FlowConfig, {"resolution": 4}),
        (FlowConfig, {"patch": 0}),
        (FlowConfig, {"bottleneck": 0}),
        (FlowConfig, {"dim": 6}),
        (FlowConfig, {"depth": 0}),
        (FlowObjectiveConfig, {"time_std": 0}),
        (FlowObjectiveConfig, {"least_noise": 0}),
        (FlowObjectiveConfig, {"condition_dropout": 1.0}),
        (FlowObjectiveConfig, {"time_mean": float("nan")}),
        (FlowOptions, {"sampler": "dopri5"}),
        (FlowOptions, {"steps": 0}),
        (FlowOptions, {"guidance": -1}),
        (FlowOptions, {"guidance_from": 1.1}),
        (FlowOptions, {"guidance_until": -0.1}),
        (FlowOptions, {"shift": 0}),
        (FlowOptions, {"guidence": 3}),
    ],
)
def test_invalid_values_are_refused(kind: type, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfigError, match=next(iter(values))):
        parse_config(kind, values, "here")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"patch": 7}, "resolution must be a multiple of patch=7, got resolution=64"),
        ({"heads": 5}, "heads must divide dim=192, got heads=5"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        FlowTransformer(FlowConfig(**values))
