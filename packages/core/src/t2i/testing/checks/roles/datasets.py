"""A declared dataset."""

from __future__ import annotations

from functools import cache, partial
from typing import final

from t2i.create import load_dataset
from t2i.registry.specs import DatasetSpec
from t2i.testing.checks.datasets import DATASET_CHECKS, Splits
from t2i.testing.checks.roles.role import CheckedRole, Section


@final
class Datasets(CheckedRole[DatasetSpec]):
    """Datasets, split by split; a reader is only made if it is given something to read."""

    def sections(self, spec: DatasetSpec, reference: str) -> list[Section]:
        if spec.takes_reference and not reference:
            return []

        @cache
        def subject() -> Splits:
            splits = _splits(spec, reference)
            next(iter(splits.values()))()  # if that fails, no check can run
            return splits

        return [Section(f"the dataset {spec.name}", DATASET_CHECKS, subject, spec.expected_failures)]

    def check_files(self, spec: DatasetSpec) -> None:
        pass  # it names no files

    def make(self, spec: DatasetSpec) -> None:
        if not spec.takes_reference:
            for load in _splits(spec).values():
                load()

    def says(self, spec: DatasetSpec) -> tuple[dict[str, object], dict[str, object]]:
        if spec.takes_reference:
            return {}, {}
        dataset = load_dataset(spec.name, spec.splits[0])
        declared: dict[str, object] = {"name": spec.name, "license": spec.license}
        return declared, {"name": dataset.name.partition(":")[0], "license": dataset.license}


def _splits(spec: DatasetSpec, reference: str = "") -> Splits:
    """Functions that open each declared split; for a reader, its data from `reference`."""
    if spec.takes_reference:
        return {reference: partial(load_dataset, f"{spec.name}:{reference}")}
    return {split: partial(load_dataset, spec.name, split) for split in spec.splits}
