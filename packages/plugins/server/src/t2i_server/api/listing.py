"""GET /v1/models: what is served, with each model's options."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from t2i_server.errors import ApiError
from t2i_server.models import ServedModel
from t2i_server.responses import answer
from t2i_server.state import Server, State

router = APIRouter()
STARTED = int(time.time())


@router.get("/v1/models", response_model=None)
async def models(server: Server) -> Response:
    """Every model that is served, the default first."""
    return answer({"object": "list", "data": _listed(server)})


@router.get("/v1/models/{model:path}", response_model=None)
async def model(model: str, server: Server) -> Response:
    """One of them."""
    listed = _listed(server)
    for each in listed:
        if each["id"] == model:
            return answer(each)
    known = f" Served: {', '.join(each['id'] for each in listed)}." if len(listed) <= 20 else ""
    raise ApiError(404, f"The model {model[:100]!r} is not served here.{known}", "model_not_found", "model")


def _listed(server: State) -> list[dict[str, Any]]:
    pictures = [_picture_model(each) for each in server.models.served.values()]
    texts = [_entry(name, "text") for name in (server.chat.names if server.chat else [])]
    return pictures + texts


def _picture_model(model: ServedModel) -> dict[str, Any]:
    schema = model.options_type.model_json_schema()
    defaults = model.defaults.model_dump(mode="json")
    return _entry(model.id, "image") | {
        "summary": model.summary,
        "resolution": model.resolution,
        "stages": model.stages,
        "options": {name: {**field, "default": defaults[name]} for name, field in schema["properties"].items()},
        "weights_sha256": model.weights_sha256,
    }


def _entry(id_: str, kind: str) -> dict[str, Any]:
    return {"id": id_, "object": "model", "created": STARTED, "owned_by": "t2i", "kind": kind}
