"""What this distribution declares; imports no torch."""

from __future__ import annotations

from t2i.registry import WeightsSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_weights() -> list[WeightsSpec]:
    return []
