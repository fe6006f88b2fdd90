"""Specs are frozen, and their targets are imported safely on use."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from fakes.distributions import FakeSite
from t2i.errors import PluginBrokenError
from t2i.registry import DatasetSpec, EvaluatorSpec, ModelSpec, PublishedScore, TextEncoderSpec, WeightsSpec
from t2i.registry.specs import bundled_folder, check_spec, load_target

WEIGHTS = WeightsSpec("cgan", "shapes", "0" * 64, 1, "shapes", 16, "Apache-2.0", "minilm")
SPECS = [
    ModelSpec("m", "p:M", "p:C", "gan", "one line", "a paper", recipes={"tiny": "p:tiny.yaml"}),
    WEIGHTS,
    TextEncoderSpec("t", "p:T", "one line", "MIT"),
    EvaluatorSpec("e", "p:E", "one line"),
    DatasetSpec("d", "p:D", ("train",), "MIT", "one line"),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: type(spec).__name__)
def test_a_spec_is_immutable_and_hashable(spec: ModelSpec) -> None:
    field = dataclasses.fields(spec)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(spec, field, "other")
    assert {spec: 1}[dataclasses.replace(spec)] == 1


def test_weights_are_named_after_their_technique_and_tag() -> None:
    assert WEIGHTS.name == "cgan.shapes"


def test_published_scores_are_numbers() -> None:
    score = PublishedScore(0.41234, 0.0123, "openmoji:compose")
    check_spec(dataclasses.replace(WEIGHTS, scores={"kid": score}))
    assert str(score) == "0.4123 ± 0.012 on openmoji:compose"
    assert str(dataclasses.replace(score, standard_error=None)) == "0.4123 on openmoji:compose"
    spec = dataclasses.replace(WEIGHTS)
    object.__setattr__(spec, "scores", {"kid": "0.41"})  # as a plugin whose types nobody checks
    with pytest.raises(TypeError, match=r"must be PublishedScores, not \{'kid': '0\.41'\}"):
        check_spec(spec)


@pytest.mark.parametrize("target", ["json:dumps", "collections.abc:Mapping", "pathlib:Path"])
def test_a_target_is_the_object_it_names(target: str) -> None:
    module, name = target.split(":")
    assert load_target(target) is getattr(__import__(module, fromlist=[name]), name)


def test_declaring_a_target_does_not_import_it(site: FakeSite) -> None:
    lazy = site.install("lazy-target", "answer = 42")
    assert lazy not in sys.modules
    spec = dataclasses.replace(SPECS[0], target=f"{lazy}:answer")
    assert lazy not in sys.modules
    assert load_target(spec.target) == 42


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("no_such_module_anywhere:Name", "no_such_module_anywhere"),
        ("json:NoSuchName", "NoSuchName"),
        ("json", "json"),
        ("", "ValueError"),
    ],
)
def test_a_missing_target_is_a_broken_plugin(target: str, message: str) -> None:
    with pytest.raises(PluginBrokenError) as caught:
        load_target(target)
    assert message in str(caught.value)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("source", ["raise RuntimeError('boom')", "def f(:", "import no_such_module", "1 / 0"])
def test_a_target_whose_module_raises_is_a_broken_plugin(site: FakeSite, source: str) -> None:
    module = site.install("broken-target", source)
    with pytest.raises(PluginBrokenError, match=module):
        load_target(f"{module}:Name")


def test_a_bundle_is_in_its_package() -> None:
    spec = dataclasses.replace(WEIGHTS, bundled="json:weights/shapes")
    assert bundled_folder(spec) == Path(json.__file__).parent / "weights" / "shapes"


def test_a_bundle_in_a_missing_package_is_a_broken_plugin() -> None:
    with pytest.raises(PluginBrokenError, match="no_such_package"):
        bundled_folder(dataclasses.replace(WEIGHTS, bundled="no_such_package:weights"))
