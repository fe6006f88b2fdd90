"""Declares the snapshots that `bundle` listed in weights.json; imports no torch."""

from __future__ import annotations

import json
from pathlib import Path

from t2i.registry import PublishedScore, WeightsSpec, hookimpl

T2I_API = 1
INDEX = Path(__file__).with_name("weights.json")


@hookimpl
def t2i_weights() -> list[WeightsSpec]:
    return [
        WeightsSpec(**entry | {"scores": {name: PublishedScore(**score) for name, score in entry["scores"].items()}})
        for entry in json.loads(INDEX.read_text(encoding="utf-8"))
    ]
