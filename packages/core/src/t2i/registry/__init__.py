"""What plugins declare and how plugins are found; everything a `plugin.py` needs can be imported from here."""

from t2i.registry.hookspecs import API_VERSION, hookimpl
from t2i.registry.specs import (
    ArtistSpec,
    CommandSpec,
    DatasetSpec,
    EngineSpec,
    EvaluatorSpec,
    HubModelSpec,
    LanguageModelSpec,
    ModelSpec,
    PublishedScore,
    TextEncoderSpec,
    WeightsSpec,
)

__all__ = [
    "API_VERSION",
    "ArtistSpec",
    "CommandSpec",
    "DatasetSpec",
    "EngineSpec",
    "EvaluatorSpec",
    "HubModelSpec",
    "LanguageModelSpec",
    "ModelSpec",
    "PublishedScore",
    "TextEncoderSpec",
    "WeightsSpec",
    "hookimpl",
]
