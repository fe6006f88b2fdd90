"""The names by which clients know models. Imports no torch, so that a wrong name is reported at once."""

from __future__ import annotations

import re
from collections.abc import Sequence

from t2i.arguments import shown
from t2i.errors import InvalidInputError
from t2i.registry.names import HUB, ModelName
from t2i.registry.specs import NAME


def public_name(model: str) -> str:
    """The name of a model that need not be served, as clients get it: of a folder only the last part."""
    return model if model.startswith(f"{HUB}:") else re.split(r"[/\\]", model.rstrip("/"))[-1]


def parse_names(models: Sequence[str]) -> dict[str, str]:
    """The names to serve by the ids that clients use: ["cgan.world64", "mine=runs/mine"].

    A folder without an id gets its own name, and a repository its name on the Hub.

    Raises:
        InvalidInputError: two models have one id, or an id is not a name.
    """
    found: dict[str, str] = {}
    for model in models:
        id_, equals, name = model.partition("=")
        if not equals or not NAME.fullmatch(id_.replace(".", "-")):
            id_, name = _id_of(model), model
        if not name or not id_:
            raise InvalidInputError(f"A model to serve is MODEL or ID=MODEL, got {shown(model)}.")
        if id_ in found:
            raise InvalidInputError(
                f"Each served model needs an id of its own, but {shown(found[id_])} and {shown(name)} have {id_!r}. "
                f"Give one of them another: other={name}"
            )
        found[id_] = name
    return found


def _id_of(model: str) -> str:
    parsed = ModelName.parse(model)
    if parsed.kind == "folder":
        return parsed.folder.resolve().name
    return parsed.repo if parsed.kind == "hub" else model
