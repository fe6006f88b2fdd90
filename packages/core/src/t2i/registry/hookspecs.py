"""The whole contract between t2i and a plugin.

A plugin is a light module, named by an entry point in the group "t2i", that sets `T2I_API = 1` and
implements any of these hooks with `@t2i.registry.hookimpl`. Hooks only declare: they return specs whose
targets are imported when somebody asks for that name.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from t2i.registry.specs import DatasetSpec, EvaluatorSpec, ModelSpec, TextEncoderSpec, WeightsSpec

API_VERSION = 1
GROUP = "t2i"

hookspec = pluggy.HookspecMarker("t2i")
hookimpl = pluggy.HookimplMarker("t2i")


@hookspec
def t2i_models() -> Iterable[ModelSpec]:  # type: ignore[empty-body]
    """Techniques this plugin brings."""


@hookspec
def t2i_weights() -> Iterable[WeightsSpec]:  # type: ignore[empty-body]
    """Pretrained weights this plugin brings or knows the address of."""


@hookspec
def t2i_text_encoders() -> Iterable[TextEncoderSpec]:  # type: ignore[empty-body]
    """Text encoders this plugin brings."""


@hookspec
def t2i_evaluators() -> Iterable[EvaluatorSpec]:  # type: ignore[empty-body]
    """Judges this plugin brings."""


@hookspec
def t2i_datasets() -> Iterable[DatasetSpec]:  # type: ignore[empty-body]
    """Datasets this plugin brings."""
