"""The roles a plugin can fill: one row each."""

from __future__ import annotations

from typing import TypeVar

from t2i.registry.specs import (
    DatasetSpec,
    EvaluatorSpec,
    ModelSpec,
    Spec,
    TextEncoderSpec,
    WeightsSpec,
)

SpecT = TypeVar("SpecT", ModelSpec, WeightsSpec, TextEncoderSpec, EvaluatorSpec, DatasetSpec)


ROLES: dict[str, type[Spec]] = {
    "t2i_models": ModelSpec,
    "t2i_weights": WeightsSpec,
    "t2i_text_encoders": TextEncoderSpec,
    "t2i_evaluators": EvaluatorSpec,
    "t2i_datasets": DatasetSpec,
}


WORDS = {
    ModelSpec: "model",
    WeightsSpec: "pretrained model",
    TextEncoderSpec: "text encoder",
    EvaluatorSpec: "evaluator",
    DatasetSpec: "dataset",
}
