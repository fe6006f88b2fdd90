"""A declared evaluator."""

from __future__ import annotations

from contextlib import suppress
from functools import cache, partial
from typing import final

from t2i.create import create_evaluator
from t2i.errors import OfflineError
from t2i.hub.client import offline
from t2i.registry.specs import EvaluatorSpec
from t2i.testing.checks.evaluators import EVALUATOR_CHECKS, MakeEvaluator
from t2i.testing.checks.roles.role import CheckedRole, Section


@final
class Evaluators(CheckedRole[EvaluatorSpec]):
    """Evaluators, with the `check_settings` of their specs."""

    def sections(self, spec: EvaluatorSpec, reference: str) -> list[Section]:
        @cache
        def subject() -> MakeEvaluator:
            make = _maker(spec)
            make()  # if that fails, no check can run
            return make

        return [Section(f"the evaluator {spec.name}", EVALUATOR_CHECKS, subject, spec.expected_failures)]

    def check_files(self, spec: EvaluatorSpec) -> None:
        pass  # it names no files

    def make(self, spec: EvaluatorSpec) -> None:
        _maker(spec)()

    def says(self, spec: EvaluatorSpec) -> tuple[dict[str, object], dict[str, object]]:
        if spec.check_settings:  # with these it may need fewer pictures than with its defaults
            return {}, {}
        with offline(), suppress(OfflineError):
            return {"least_pictures": spec.least_pictures}, {"least_pictures": _maker(spec)().least_pictures}
        return {}, {}


def _maker(spec: EvaluatorSpec) -> MakeEvaluator:
    return partial(create_evaluator, spec.name, **spec.check_settings)
