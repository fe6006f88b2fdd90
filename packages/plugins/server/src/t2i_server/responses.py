"""Answers in JSON, and streams of server-sent events."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from t2i_server.errors import ApiError

EVENTS = "text/event-stream"


def json_bytes(value: Any) -> bytes:
    """In ASCII, so that every Python string can be sent."""
    return json.dumps(value, separators=(",", ":")).encode()


def answer(value: Any, status: int = 200) -> Response:
    """JSON."""
    return Response(json_bytes(value), status, media_type="application/json")


def refusal(error: ApiError) -> Response:
    """An error in the form of the OpenAI API."""
    response = answer(error.body, error.status)
    response.headers.update(error.headers)
    return response


def event(value: Any, name: str = "") -> bytes:
    """One server-sent event."""
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + json_bytes(value) + b"\n\n"
