"""A declared language model."""

from __future__ import annotations

from functools import cache, partial
from typing import final

from t2i.create import create_language_model
from t2i.registry.specs import LanguageModelSpec
from t2i.testing.checks.language_models import LANGUAGE_MODEL_CHECKS
from t2i.testing.checks.roles.role import CheckedRole, Section


@final
class LanguageModels(CheckedRole[LanguageModelSpec]):
    """Language models; one that takes a reference is only made if one is given."""

    def sections(self, spec: LanguageModelSpec, reference: str) -> list[Section]:
        if spec.takes_reference and not reference:
            return []
        name = f"{spec.name}:{reference}" if reference else spec.name
        make = cache(partial(create_language_model, name))  # loading takes seconds, and writing does not change it
        return [Section(f"the language model {spec.name}", LANGUAGE_MODEL_CHECKS, make, spec.expected_failures)]

    def targets(self, spec: LanguageModelSpec) -> list[str]:
        return [spec.target]

    def check_files(self, spec: LanguageModelSpec) -> None:
        pass  # it names no files

    def make(self, spec: LanguageModelSpec) -> None:
        if not spec.takes_reference:
            create_language_model(spec.name)

    def says(self, spec: LanguageModelSpec) -> tuple[dict[str, object], dict[str, object]]:
        if spec.takes_reference:
            return {}, {}
        return {"name": spec.name}, {"name": create_language_model(spec.name).identity.name}
