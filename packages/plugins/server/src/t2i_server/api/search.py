"""GET /search: what was drawn and written on this machine, if the operator shows it."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from t2i_server.errors import ApiError
from t2i_server.responses import answer
from t2i_server.searching import By
from t2i_server.state import Server, note, while_connected

router = APIRouter()


@router.get("/search", response_model=None)
async def search(
    request: Request,
    server: Server,
    q: Annotated[str, Query(max_length=1000, description="words, or a sentence; none: the newest")] = "",
    by: Annotated[By, Query(description="words, meaning, or both merged")] = "words",
    kind: Annotated[Literal["picture", "text"] | None, Query()] = None,
    model: Annotated[str, Query(max_length=200)] = "",
    n: Annotated[int, Query(ge=1, le=100, description="most hits")] = 20,
) -> Response:
    """Hits, the best first; records that differ only by seed are one."""
    if server.searcher is None:
        message = "This server does not offer search. The operator enables it with: t2i serve --search"
        raise ApiError(404, message, "no_search")
    note(request, prompt=q)
    work = server.searcher.search(q, by, kind, model, n)
    return answer({"object": "list", "data": await while_connected(request, work, server.settings.deadline_seconds)})
