"""The metadata of InvokeAI: `invokeai_metadata` since version 3, `sd-metadata` before."""

from __future__ import annotations

from typing import Any

from t2i_index.metadata.values import as_seed, as_text, parse_object, simple
from t2i_index.record import Record

KNOWN = ("positive_prompt", "seed", "model")


def read_invokeai(texts: dict[str, str]) -> Record | None:
    """How InvokeAI made a picture, from its text chunks; None if it did not."""
    facts = parse_object(texts.get("invokeai_metadata", ""))
    if facts is not None:
        prompt, model = as_text(facts.get("positive_prompt")), facts.get("model")
        name = as_text(model.get("name") or model.get("model_name")) if isinstance(model, dict) else as_text(model)
        others = {key: value for key, value in facts.items() if key not in KNOWN}
        return _record(prompt, name, facts.get("seed"), others)
    facts = parse_object(texts.get("sd-metadata", ""))
    image = facts.get("image") if facts is not None else None
    if facts is None or not isinstance(image, dict):
        return None
    prompt = _old_prompt(image.get("prompt"))
    others = {key: value for key, value in image.items() if key not in ("prompt", "seed")}
    name = as_text(facts.get("model_weights"))
    return _record(prompt, name, image.get("seed"), others)


def _record(prompt: str, model: str, seed: object, options: dict[str, Any]) -> Record | None:
    if not prompt:
        return None
    return Record("picture", prompt, model=model, seed=as_seed(seed), options=simple(options), source="invokeai")


def _old_prompt(value: Any) -> str:
    """A text, or a list of weighted texts."""
    if isinstance(value, list):
        parts = [as_text(part.get("prompt")) for part in value[:100] if isinstance(part, dict)]
        return " ".join(filter(None, parts))
    return as_text(value)
