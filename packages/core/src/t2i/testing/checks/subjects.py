"""What an installed name stands for, made as small as its plugin allows: what `t2i check` checks."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, cast

import torch

from t2i.config import parse_config
from t2i.create import create_evaluator, create_model, create_text_encoder, load_dataset
from t2i.generator import Generator
from t2i.registry.specs import DatasetSpec, EvaluatorSpec, ModelSpec, TextEncoderSpec, load_target
from t2i.testing.checks.datasets import Splits
from t2i.testing.checks.evaluators import MakeEvaluator
from t2i.text import TextEncoder
from t2i.training.objective import Objective
from t2i.training.run import read_recipe

TEXT_DIM = 12


def generator(spec: ModelSpec) -> Generator:
    """The technique with the fresh weights and the shape of its recipe "tiny"; of its config where it has none."""
    torch.manual_seed(0)
    return create_model(spec.name, **({"text_dim": TEXT_DIM} | _tiny(spec, "model")))


def objective(spec: ModelSpec) -> Objective:
    """The objective over that generator, with the settings of the recipe "tiny"."""
    drawing = generator(spec)
    settings = parse_config(load_target(spec.objective_config), _tiny(spec, "objective"), spec.name)
    return cast(Objective, load_target(spec.objective)(drawing, settings))


def text_encoder(spec: TextEncoderSpec, reference: str) -> Callable[[], TextEncoder]:
    """What makes the encoder, once: it is frozen."""
    return cache(partial(create_text_encoder, f"{spec.name}:{reference}" if reference else spec.name))


def evaluator(spec: EvaluatorSpec) -> MakeEvaluator:
    """What makes the judge with the settings its plugin wants it checked with."""
    return partial(create_evaluator, spec.name, **spec.check_settings)


def splits(spec: DatasetSpec) -> Splits:
    """What opens each declared split."""
    return {split: partial(load_dataset, spec.name, split) for split in spec.splits}


def _tiny(spec: ModelSpec, section: str) -> dict[str, Any]:
    recipe = read_recipe(spec.name, "tiny") if "tiny" in spec.recipes else {}
    return dict(recipe.get(section) or {})
