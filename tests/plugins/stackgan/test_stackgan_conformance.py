"""Both StackGANs pass the suites that every technique must pass."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from t2i.config import parse_config
from t2i.generator import Generator
from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec, load_target
from t2i.testing.generators import GeneratorSuite
from t2i.testing.objectives import ObjectiveSuite
from t2i.training.objective import Objective

COMMON = {"text_dim": 12, "condition_dim": 8, "noise_dim": 8, "residual_blocks": 1}
SHAPES: dict[str, tuple[str, dict[str, Any]]] = {
    "v1": ("stackgan", {"widths": (16, 8), "encoder_widths": (8, 8), "decoder_widths": (8, 8)}),
    "v1-paper": (
        "stackgan",
        {
            "widths": (16, 8), "encoder_widths": (8, 8), "decoder_widths": (8, 8), "skip": False,
            "normalize_text": False, "augmentation": "relu",
        },
    ),
    "v1-stage-one": ("stackgan", {"widths": (16, 8), "stages": 1}),
    "v2": ("stackgan-v2", {"widths": (16, 8), "branch_widths": (8,)}),
    "v2-paper": (
        "stackgan-v2",
        {"widths": (16, 8), "branch_widths": (8, 4), "skip": False, "normalize_text": False},
    ),
    "v2-one-scale": ("stackgan-v2", {"widths": (16, 8), "branch_widths": ()}),
}  # fmt: skip
GAMES: dict[str, dict[str, Any]] = {
    "everything": {
        "feature_matching": 1, "squared_error": 1, "reconstruction": 1, "reconstruct_first": 0.5, "text_noise": 0.2,
        "shift": 2,
    },
    "paper-r1": {"loss": "bce", "r1_gamma": 10, "spectral_norm": False},
}  # fmt: skip


def tiny(shape: str) -> Generator:
    torch.manual_seed(0)
    name, values = SHAPES[shape]
    spec, _ = registry().get(ModelSpec, name)
    return load_target(spec.target)(parse_config(load_target(spec.config), COMMON | values, shape))


@pytest.mark.parametrize("shape", SHAPES)
class TestStackGAN(GeneratorSuite):
    @pytest.fixture
    def generator(self, shape: str) -> Generator:
        return tiny(shape)


@pytest.mark.parametrize(
    ("shape", "game"),
    [("v1", "everything"), ("v1-paper", "paper-r1"), ("v2", "everything"), ("v2-paper", "paper-r1")],
)
class TestObjective(ObjectiveSuite):
    @pytest.fixture
    def objective(self, shape: str, game: str) -> Objective:
        spec, _ = registry().get(ModelSpec, SHAPES[shape][0])
        settings = parse_config(load_target(spec.objective_config), {"discriminator_width": 4, **GAMES[game]}, game)
        return load_target(spec.objective)(tiny(shape), settings)
