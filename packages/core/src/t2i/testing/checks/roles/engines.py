"""A declared engine."""

from __future__ import annotations

from functools import cache, partial
from typing import final

from t2i.create import create_engine
from t2i.registry.specs import EngineSpec, load_target
from t2i.testing.checks.engines import ENGINE_CHECKS
from t2i.testing.checks.roles.role import CheckedRole, Section


@final
class Engines(CheckedRole[EngineSpec]):
    """Engines; one without a reference that works anywhere is only opened if a reference is given."""

    def sections(self, spec: EngineSpec, reference: str) -> list[Section]:
        reference = reference or spec.check_reference
        if not reference:
            return []
        make = cache(partial(create_engine, f"{spec.name}:{reference}"))  # its workers take seconds to start
        return [Section(f"the engine {spec.name}", ENGINE_CHECKS, make, spec.expected_failures)]

    def check_files(self, spec: EngineSpec) -> None:
        pass  # it names no files

    def make(self, spec: EngineSpec) -> None:
        load_target(spec.target)

    def says(self, spec: EngineSpec) -> tuple[dict[str, object], dict[str, object]]:
        return {}, {}
