"""Declares the datasets `openmoji` and `openmoji-world`; imports no torch."""

from __future__ import annotations

from t2i.registry import DatasetSpec, hookimpl
from t2i_openmoji.world.split_names import SPLITS

T2I_API = 1


@hookimpl
def t2i_datasets() -> list[DatasetSpec]:
    """Declare the datasets."""
    return [
        DatasetSpec(
            name="openmoji",
            target="t2i_openmoji.dataset:OpenMoji",
            splits=("train", "compose", "all"),
            license="CC-BY-SA-4.0",
            summary="about 3,900 named emoji in one style; compose withholds pairs of concept and skin tone",
        ),
        DatasetSpec(
            name="openmoji-world",
            target="t2i_openmoji.world.dataset:OpenMojiWorld",
            splits=SPLITS,
            license="CC-BY-SA-4.0",
            summary="490 things in eleven colours, counted and placed, in many phrasings, with withheld combinations",
        ),
    ]
