"""The evaluators pass the suite that every plugin's evaluators must pass."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from fakes.image_text import FakeImageTextEncoder
from fakes.protocol import TINY
from t2i.create import create_evaluator
from t2i.testing.evaluators import EvaluatorSuite, MakeEvaluator

SETTINGS: dict[str, dict[str, Any]] = {
    "fid": {"protocol": TINY, "min_images": 2},
    "kid": {"protocol": TINY},
    "is": {"protocol": TINY},
    "prdc": {"protocol": TINY},
    "r_precision": {"encoder": FakeImageTextEncoder(), "distractors": 9},
    "clip_score": {"encoder": FakeImageTextEncoder()},
    "pick_score": {"encoder": FakeImageTextEncoder()},
    "image_reward": {"model": "untrained"},
}


@pytest.mark.usefixtures("tiny")
class TestEvaluators(EvaluatorSuite):
    @pytest.fixture(params=list(SETTINGS))
    def make_evaluator(self, request: pytest.FixtureRequest) -> MakeEvaluator:
        return partial(create_evaluator, request.param, **SETTINGS[request.param])
