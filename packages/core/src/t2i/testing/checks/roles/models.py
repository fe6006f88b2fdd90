"""A declared technique: its generator, its objective and its bundled weights."""

from __future__ import annotations

from functools import partial
from typing import Any, cast, final

import torch

from t2i.config import parse_config
from t2i.create import create_model
from t2i.generator import Generator, NoOptions
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, WeightsSpec, load_target
from t2i.testing.checks.generators import GENERATOR_CHECKS
from t2i.testing.checks.objectives import OBJECTIVE_CHECKS
from t2i.testing.checks.roles.role import CheckedRole, Section
from t2i.testing.checks.roles.weights import Weights
from t2i.training.objective import Objective
from t2i.training.run import RunConfig, read_recipe

TEXT_DIM = 12


@final
class Models(CheckedRole[ModelSpec]):
    """Techniques."""

    def sections(self, spec: ModelSpec, reference: str) -> list[Section]:
        known = spec.expected_failures
        found = [Section(f"the generator {spec.name}", GENERATOR_CHECKS, partial(generator, spec), known)]
        if spec.objective:
            make = partial(objective, spec)
            found.append(Section(f"the objective of {spec.name}", OBJECTIVE_CHECKS, make, known))
        for weights, _ in registry().all(WeightsSpec):
            if weights.model == spec.name and weights.bundled:
                found += Weights().sections(weights, "")
        return found

    def check_files(self, spec: ModelSpec) -> None:
        for name in spec.recipes:
            values = read_recipe(spec.name, name) | {"technique": spec.name}
            parse_config(RunConfig, {"data": "any"} | values, f"the recipe {name}")

    def make(self, spec: ModelSpec) -> None:
        generator(spec)

    def says(self, spec: ModelSpec) -> tuple[dict[str, object], dict[str, object]]:
        kind = load_target(spec.target)
        options = load_target(spec.options) if spec.options else NoOptions
        declared = {"name": spec.name, "config": load_target(spec.config), "options": options}
        return declared, {"name": kind.technique, "config": kind.config_type, "options": kind.options_type}


def generator(spec: ModelSpec) -> Generator:
    """The technique with fresh weights and the settings of its recipe "tiny", or the defaults if it has none."""
    torch.manual_seed(0)
    return create_model(spec.name, **({"text_dim": TEXT_DIM} | _tiny(spec, "model")))


def objective(spec: ModelSpec) -> Objective:
    """The objective over that generator, with the settings of the recipe "tiny"."""
    drawing = generator(spec)
    settings = parse_config(load_target(spec.objective_config), _tiny(spec, "objective"), spec.name)
    return cast(Objective, load_target(spec.objective)(drawing, settings))


def _tiny(spec: ModelSpec, section: str) -> dict[str, Any]:
    recipe = read_recipe(spec.name, "tiny") if "tiny" in spec.recipes else {}
    return dict(recipe.get(section) or {})
