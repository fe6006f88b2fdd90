"""Declared pretrained weights."""

from __future__ import annotations

from typing import final

from t2i.registry.specs import WeightsSpec, bundled_folder
from t2i.testing.checks.roles.role import CheckedRole, Section
from t2i.testing.checks.weights import WEIGHTS_CHECKS


@final
class Weights(CheckedRole[WeightsSpec]):
    """Pretrained weights; only bundled ones have files to check."""

    def sections(self, spec: WeightsSpec, reference: str) -> list[Section]:
        return [Section(f"the weights {spec.name}", WEIGHTS_CHECKS, lambda: spec)]

    def check_files(self, spec: WeightsSpec) -> None:
        if spec.bundled:
            folder = bundled_folder(spec)
            assert folder.is_dir(), f"{spec.name} is bundled in {folder}, but that folder does not exist"

    def make(self, spec: WeightsSpec) -> None:
        pass  # the technique is made by its own spec

    def says(self, spec: WeightsSpec) -> tuple[dict[str, object], dict[str, object]]:
        return {}, {}
