"""A technique's settings for a person's own pictures. Imports no torch."""

from __future__ import annotations

from typing import Any

from t2i.registry.discovery import registry
from t2i.registry.specs import ModelSpec
from t2i.training.settings import read_recipe

OWN = "own"
"""The name of the recipe in which a technique says what it needs, whatever the data and the device."""


def own_settings(technique: str) -> dict[str, Any]:
    """The technique's recipe `own`; empty if it ships none."""
    spec, _ = registry().get(ModelSpec, technique)
    return read_recipe(technique, OWN) if OWN in spec.recipes else {}
