"""POST /v1/provenance: how a picture was made, and which served model draws it again."""

from __future__ import annotations

import asyncio
import io
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from t2i.drawing.provenance import Provenance, provenance_in
from t2i_server.errors import ApiError
from t2i_server.names import public_name
from t2i_server.responses import answer
from t2i_server.state import Server, State

router = APIRouter()
PICTURES = ("image/png", "image/jpeg", "image/webp")


@router.post(
    "/v1/provenance",
    response_model=None,
    openapi_extra={"requestBody": {"required": True, "content": {kind: {} for kind in PICTURES}}},
)
async def provenance(request: Request, server: Server) -> Response:
    """The prompt, seed, model and options in a picture's metadata. The body is the picture's file."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in PICTURES:
        raise ApiError(415, f"The body must be a picture of type {', '.join(PICTURES)}.", "wrong_type")
    body = io.BytesIO(await request.body())
    found = await asyncio.get_running_loop().run_in_executor(server.encoding, provenance_in, body, "The picture")
    if found is None:
        raise ApiError(
            404, "The picture does not say how it was made. Image editors and messengers remove this metadata.", "none"
        )
    return answer(_shown(found, server))


def _shown(found: Provenance, server: State) -> dict[str, Any]:
    again = [id_ for id_, each in server.models.served.items() if each.weights_sha256 == found.artist.weights_sha256]
    return {
        "prompt": found.prompt,
        "typed": found.widened.typed if found.widened else "",
        "seed": found.seed,
        "options": dict(found.options),
        "model": public_name(found.artist.name),
        "weights_sha256": found.artist.weights_sha256,
        "versions": dict(found.artist.versions),
        "device": found.artist.device,
        "served_as": again[0] if again else None,
    }
