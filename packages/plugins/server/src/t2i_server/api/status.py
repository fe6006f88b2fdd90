"""Whether the server runs, whether it accepts work, and its metrics."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from t2i_server.responses import answer
from t2i_server.state import Server

router = APIRouter()
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/healthz", response_model=None)
async def healthz() -> Response:
    """200 while the server runs."""
    return answer({"status": "ok"})


@router.get("/readyz", response_model=None)
async def readyz(server: Server) -> Response:
    """200 while the server accepts work; 503 while it starts or stops."""
    is_ready = server.batcher.accepting
    return answer({"status": "ready" if is_ready else "not ready"}, 200 if is_ready else 503)


@router.get("/metrics", response_model=None)
async def metrics(server: Server) -> Response:
    """For Prometheus."""
    return Response(server.metrics.text(), media_type=METRICS_TYPE)
