"""The checks of an installed name, section by section: its distribution, its roles, its weights."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from t2i.errors import UnknownNameError, did_you_mean
from t2i.registry.describe import weights_spec
from t2i.registry.discovery import registry
from t2i.registry.specs import DatasetSpec, EvaluatorSpec, ModelSpec, Spec, TextEncoderSpec, WeightsSpec
from t2i.testing.checks import subjects
from t2i.testing.checks.check import Check, Outcome, bind, outcome
from t2i.testing.checks.datasets import DATASET_CHECKS
from t2i.testing.checks.evaluators import EVALUATOR_CHECKS
from t2i.testing.checks.generators import GENERATOR_CHECKS
from t2i.testing.checks.objectives import OBJECTIVE_CHECKS
from t2i.testing.checks.plugins import PLUGIN_CHECKS
from t2i.testing.checks.text_encoders import TEXT_ENCODER_CHECKS
from t2i.testing.checks.weights import WEIGHTS_CHECKS


@dataclass(frozen=True)
class Section:
    """The checks of one role, and what makes their subject."""

    title: str
    checks: Sequence[Check[Any]]
    make: Callable[[], Any]
    expected_failures: Mapping[str, str] = field(default_factory=dict)

    def outcomes(self) -> Iterator[Outcome]:
        """Make every check in turn; what it prints is swallowed."""
        for bound in bind(self.checks, self.make):
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                found = outcome(bound, self.expected_failures)
            yield found


def sections(name: str) -> list[Section]:
    """Everything that is promised by a model, "model.tag", a text encoder, an evaluator, a dataset or a distribution.

    Raises:
        UnknownNameError, NameClashError, PluginError: nothing usable goes by that name.
    """
    technique, dot, _ = name.partition(".")
    kind, _, reference = name.partition(":")
    if dot and any(spec.name == technique for spec, _ in registry().all(ModelSpec)):
        return [_weights(weights_spec(name))]
    found = [
        (spec, claims[0][0].distribution)
        for (_, declared), claims in registry().owners.items()
        for _, spec in claims
        if len(claims) == 1 and (declared in (name, kind) or claims[0][0].distribution == name)
    ]
    if not found:
        raise _unknown(name)
    roles = [section for spec, _ in found for section in _of_spec(spec, reference)]
    return [*(_plugin(owner, roles) for owner in dict.fromkeys(owner for _, owner in found)), *roles]


def _of_spec(spec: Spec, reference: str) -> list[Section]:
    known = {} if isinstance(spec, WeightsSpec) else spec.expected_failures
    match spec:
        case ModelSpec():
            listed = [Section(f"the generator {spec.name}", GENERATOR_CHECKS, partial(subjects.generator, spec), known)]
            if spec.objective:
                make = partial(subjects.objective, spec)
                listed.append(Section(f"the objective of {spec.name}", OBJECTIVE_CHECKS, make, known))
            bundled = [each for each, _ in registry().all(WeightsSpec) if each.model == spec.name and each.bundled]
            return listed + [_weights(each) for each in bundled]
        case TextEncoderSpec():
            make_encoder = subjects.text_encoder(spec, reference)
            return [Section(f"the text encoder {spec.name}", TEXT_ENCODER_CHECKS, make_encoder, known)]
        case EvaluatorSpec():
            make_judge = subjects.evaluator(spec)
            return [Section(f"the evaluator {spec.name}", EVALUATOR_CHECKS, lambda: make_judge, known)]
        case DatasetSpec():
            make_splits = partial(subjects.splits, spec)
            return [Section(f"the dataset {spec.name}", DATASET_CHECKS, make_splits, known)]
        case WeightsSpec():
            return [_weights(spec)]


def _plugin(distribution: str, roles: Sequence[Section]) -> Section:
    """The distribution's own section, and that what it declares to fail are checks of one of its roles."""
    known = {check.name for section in roles for check in section.checks}

    def expected_failures_are_checks(name: str) -> None:
        odd = sorted({failure for section in roles for failure in section.expected_failures} - known)
        assert not odd, f"expected_failures of {name} name checks, but there is no {', '.join(odd)}"

    declared = Check(
        "expected_failures_are_checks",
        "a misspelt name hides nothing, and says that something is wrong",
        "name checks as `t2i check` does, with underscores",
        expected_failures_are_checks,
    )
    return Section(f"the distribution {distribution}", [*PLUGIN_CHECKS, declared], lambda: distribution)


def _weights(spec: WeightsSpec) -> Section:
    return Section(f"the weights {spec.name}", WEIGHTS_CHECKS, lambda: spec)


def _unknown(name: str) -> Exception:
    """Why there is nothing to check; for a plugin that cannot be used, its own error."""
    try:
        registry().get(ModelSpec, name)
    except UnknownNameError as error:
        near = did_you_mean(name, {spec_name for _, spec_name in registry().owners})
        return UnknownNameError(f"Nothing installed is called {name!r}.{near}") if near else error
    except Exception as error:
        return error
    raise AssertionError("unreachable: a known model has been found")
