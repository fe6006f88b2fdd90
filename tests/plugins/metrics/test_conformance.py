"""The evaluators pass the suite that every plugin's evaluators must pass."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from fakes.image_text import FakeImageTextEncoder
from fakes.protocol import TINY
from t2i.create import create_evaluator
from t2i.registry.discovery import registry
from t2i.registry.specs import EvaluatorSpec
from t2i.testing.evaluators import EvaluatorSuite, MakeEvaluator
from t2i_metrics.protocols import DEFAULT_PROTOCOL, PROTOCOLS

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


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("name", ["kid", "is", "prdc", "r_precision", "clip_score", "pick_score", "image_reward"])
def test_the_spec_declares_the_fewest_pictures(name: str) -> None:
    evaluator = create_evaluator(name, **SETTINGS[name])  # of these settings, none changes how many it needs
    assert registry().get(EvaluatorSpec, name)[0].least_pictures == evaluator.least_pictures > 1


def test_the_spec_of_fid_declares_as_many_as_its_default_protocol_needs() -> None:
    assert registry().get(EvaluatorSpec, "fid")[0].least_pictures == PROTOCOLS[DEFAULT_PROTOCOL].dim + 1
