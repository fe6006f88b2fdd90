"""What the plugin declares, and that its recipes make what they say."""

from __future__ import annotations

import pytest
import torch

from t2i.config import parse_config
from t2i.registry.discovery import registry
from t2i.registry.specs import CommandSpec, EvaluatorSpec, ModelSpec, TextEncoderSpec, load_target
from t2i.testing.checks.generators import (
    a_picture_does_not_depend_on_its_neighbours,
    a_picture_does_not_depend_on_its_place_in_the_batch,
    the_drawing_twin_draws_the_same,
)
from t2i.training.config import TrainConfig
from t2i.training.run import read_recipe
from t2i_attngan.config import AttnGANConfig, AttnGANObjectiveConfig
from t2i_attngan.generator import AttnGAN
from t2i_attngan.training import AttnGANObjective

MIB = 2**20


def test_everything_it_declares_exists() -> None:
    spec, plugin = registry().get(ModelSpec, "attngan")
    assert plugin.distribution == "t2i-attngan" and spec.kind == "gan"
    targets = [load_target(target) for target in (spec.target, spec.config, spec.objective, spec.objective_config)]
    assert targets == [AttnGAN, AttnGANConfig, AttnGANObjective, AttnGANObjectiveConfig]
    assert set(spec.recipes) == {"own", "paper", "tiny", "world64"} and callable(load_target(spec.converter))
    for role, name in ((TextEncoderSpec, "damsm"), (EvaluatorSpec, "damsm"), (CommandSpec, "convert-damsm")):
        assert callable(load_target(registry().get(role, name)[0].target))


@pytest.mark.parametrize("name", ["tiny", "world64"])
def test_a_recipe_makes_its_objective(name: str) -> None:
    """Drawn at 64 px, and small enough to be bundled."""
    recipe = read_recipe("attngan", name)
    assert set(recipe) <= {"data", "model", "objective", "train"}
    generator = AttnGAN(parse_config(AttnGANConfig, recipe["model"], name))
    settings = parse_config(AttnGANObjectiveConfig, recipe["objective"], name)
    objective = AttnGANObjective(generator, settings)
    train = parse_config(TrainConfig, recipe["train"], name)
    assert objective.phases[0].name == "damsm"
    if name == "world64":
        assert generator.resolution == 64 and train.steps * train.batch_size == 128_000
        size = sum(tensor.numel() * tensor.element_size() for tensor in generator.state_dict().values())
        assert size <= 32 * MIB  # half of it in float16


def test_at_its_default_width_a_picture_is_its_own() -> None:
    torch.manual_seed(0)
    generator = AttnGAN(AttnGANConfig())
    for check in (
        a_picture_does_not_depend_on_its_place_in_the_batch,
        a_picture_does_not_depend_on_its_neighbours,
        the_drawing_twin_draws_the_same,
    ):
        check(generator)
