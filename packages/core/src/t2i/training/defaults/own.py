"""A technique's settings for a person's own pictures. Imports no torch."""

from __future__ import annotations

from typing import Any

from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec
from t2i.training.settings import read_recipe

OWN = "own"
"""The name of the recipe in which a technique says what it needs, whatever the data and the device."""

SHARED = "own-shared"
"""The name of the recipe in which a technique says what else it needs if many pictures share each caption."""


def own_settings(technique: str) -> dict[str, Any]:
    """The technique's recipe `own`; empty if it ships none."""
    return _recipe(technique, OWN)


def shared_settings(technique: str) -> dict[str, Any]:
    """The technique's recipe `own-shared`; empty if it ships none."""
    return _recipe(technique, SHARED)


def _recipe(technique: str, name: str) -> dict[str, Any]:
    spec, _ = registry().get(ModelSpec, technique)
    return read_recipe(technique, name) if name in spec.recipes else {}
