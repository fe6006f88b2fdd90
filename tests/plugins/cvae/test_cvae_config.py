"""What the plugin declares and which settings it takes."""

from __future__ import annotations

import subprocess
import sys
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
from t2i_cvae.config import CVAEConfig, CVAEObjectiveConfig, CVAEOptions
from t2i_cvae.generator import ConditionalVAE
from t2i_cvae.training import CVAEObjective


def test_declaring_imports_no_torch() -> None:
    code = (
        "import sys, t2i_cvae.plugin as p; p.t2i_models(); assert 'pydantic' not in sys.modules;"
        "import t2i_cvae.config; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


RECIPES = ("openmoji64", "paper", "tiny")


def test_spec_names_what_is_there() -> None:
    spec, plugin = registry().get(ModelSpec, "cvae")
    assert plugin.distribution == "t2i-cvae" and spec.kind == "vae"
    targets = [load_target(target) for target in (spec.target, spec.config, spec.objective, spec.objective_config)]
    assert targets == [ConditionalVAE, CVAEConfig, CVAEObjective, CVAEObjectiveConfig]
    assert set(spec.recipes) == set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_hold_nothing_unknown(name: str) -> None:
    recipe = yaml.safe_load((files("t2i_cvae") / f"recipes/{name}.yaml").read_text())
    assert set(recipe) <= {"data", "model", "objective", "train"}
    with torch.device("meta"):
        vae = ConditionalVAE(parse_config(CVAEConfig, recipe["model"], name))
    CVAEObjective(vae, parse_config(CVAEObjectiveConfig, recipe["objective"], name))
    parse_config(TrainConfig, recipe["train"], name)
    size = sum(tensor.numel() * tensor.element_size() for tensor in vae.state_dict().values())
    assert name == "paper" or size <= 16 * 2**20


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (CVAEConfig, {"resolutoin": 64}),
        (CVAEConfig, {"resolution": 4}),
        (CVAEConfig, {"widths": [64]}),
        (CVAEConfig, {"widths": [0, 8]}),
        (CVAEConfig, {"encoder_widths": [-8, 8]}),
        (CVAEConfig, {"latent_dim": 0}),
        (CVAEConfig, {"patch": 0}),
        (CVAEObjectiveConfig, {"beta": -1}),
        (CVAEObjectiveConfig, {"free_bits": -0.1}),
        (CVAEObjectiveConfig, {"kl_warmup": 1.1}),
        (CVAEObjectiveConfig, {"absolute_error": float("nan")}),
        (CVAEObjectiveConfig, {"optimizer": {"clock": "wall"}}),
        (CVAEOptions, {"temperature": -0.1}),
        (CVAEOptions, {"temperature": 2.1}),
        (CVAEOptions, {"temprature": 1}),
    ],
)
def test_what_cannot_be_is_refused(kind: type, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfigError, match=next(iter(values))):
        parse_config(kind, values, "here")


@pytest.mark.parametrize(
    "values",
    [{"resolution": 32}, {"widths": (64, 64)}, {"encoder_widths": (64, 64)}, {"patch": 4}, {"patch": 3}],
)
def test_shapes_that_miss_the_resolution_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfigError, match=r"make \d+ px a side"):
        ConditionalVAE(CVAEConfig(**values))


def test_widths_no_group_norm_can_split_are_refused() -> None:
    with pytest.raises(InvalidConfigError, match=r"multiples of 8, but \[12\] came"):
        ConditionalVAE(CVAEConfig(resolution=16, encoder_widths=(8, 12), widths=(8, 8)))


@pytest.mark.parametrize(("resolution", "count", "patch"), [(16, 3, 1), (16, 2, 2), (24, 2, 3), (64, 3, 4)])
def test_shapes_that_reach_the_resolution_draw_it(resolution: int, count: int, patch: int) -> None:
    widths = (8,) * count
    vae = ConditionalVAE(
        CVAEConfig(resolution=resolution, widths=widths, encoder_widths=widths, patch=patch, text_dim=8)
    )
    mean, log_variance = vae.encoder(torch.zeros(2, 3, resolution, resolution), torch.zeros(2, 8))
    assert mean.shape == log_variance.shape == (2, 128)
    assert vae.decoder(mean, torch.zeros(2, 8)).shape == (2, 3, resolution, resolution)
