"""AttnGAN, its objective, text encoder and evaluator against the suites every plugin is held to."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from fakes.official_attngan import TextEncoder as PlainTextEncoder
from t2i.testing.evaluators import EvaluatorSuite, MakeEvaluator
from t2i.testing.generators import GeneratorSuite
from t2i.testing.objectives import ObjectiveSuite
from t2i.testing.text_encoders import TextEncoderSuite
from t2i_attngan.config import AttnGANConfig, AttnGANObjectiveConfig
from t2i_attngan.evaluator import DAMSMEncoder, DAMSMPrecision
from t2i_attngan.generator import AttnGAN
from t2i_attngan.official import text_encoder
from t2i_attngan.text_encoder import DAMSMTextEncoder
from t2i_attngan.training import AttnGANObjective

COMMON: dict[str, Any] = {
    "text_dim": 12, "word_dim": 8, "backbone": "test_efficientnet", "backbone_channels": (48, 64), "backbone_side": 32,
    "backbone_pretrained": False, "condition_dim": 8, "noise_dim": 8, "widths": (16, 8), "branch_widths": (8,),
    "residual_blocks": 1,
}  # fmt: skip
SHAPES: dict[str, dict[str, Any]] = {
    "lstm": {},
    "paper": {"reader": "linear", "skip": False, "normalize_text": False, "branch_widths": (8, 4)},
    "converted": {"reader": "none", "word_dim": 12, "backbone": "", "patch": 2},
}
GAMES: dict[str, dict[str, Any]] = {
    "everything": {
        "feature_matching": 1, "squared_error": 1, "reconstruction": 1, "reconstruct_first": 0.3, "text_noise": 0.2,
        "shift": 2, "damsm": {"dropout": 0.2},
    },
    "paper": {"loss": "bce", "spectral_norm": False, "r1_gamma": 1},
    "alone": {"damsm_share": 0.0, "matching": 0.0},
}  # fmt: skip
KNOWN = "a red heart small bird with blue crown and short beak flag of two dogs cat on the roof house sun pizza japan"
WORDS = ["<end>", *KNOWN.split()]


def tiny(shape: str) -> AttnGAN:
    torch.manual_seed(0)
    return AttnGAN(AttnGANConfig.model_validate(COMMON | SHAPES[shape]))


@pytest.mark.parametrize("shape", SHAPES)
class TestAttnGAN(GeneratorSuite):
    @pytest.fixture
    def generator(self, shape: str) -> AttnGAN:
        return tiny(shape)


@pytest.mark.parametrize(("shape", "game"), [("lstm", "everything"), ("paper", "paper"), ("converted", "alone")])
class TestObjective(ObjectiveSuite):
    @pytest.fixture
    def objective(self, shape: str, game: str) -> AttnGANObjective:
        settings = AttnGANObjectiveConfig.model_validate(
            {"discriminator_width": 4, "damsm_share": 0.3, "kl": 0.1, **GAMES[game]}
        )
        return AttnGANObjective(tiny(shape), settings)


@pytest.fixture(scope="module")
def small_encoder(tmp_path_factory: pytest.TempPathFactory) -> DAMSMTextEncoder:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("damsm") / "text.safetensors"
    tensors = text_encoder(PlainTextEncoder(len(WORDS), 6, 8).state_dict())
    save_file(tensors, path, metadata={"vocabulary": json.dumps(WORDS)})
    return DAMSMTextEncoder(str(path))


@pytest.fixture(scope="module")
def untrained() -> DAMSMEncoder:
    return DAMSMEncoder("untrained")


class TestDAMSMTextEncoder(TextEncoderSuite):
    @pytest.fixture
    def encoder(self, small_encoder: DAMSMTextEncoder) -> DAMSMTextEncoder:
        return small_encoder


class TestDAMSMPrecision(EvaluatorSuite):
    @pytest.fixture
    def make_evaluator(self, untrained: DAMSMEncoder) -> MakeEvaluator:
        return partial(DAMSMPrecision, untrained, distractors=9)
