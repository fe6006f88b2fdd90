"""GET /: the page, its style and its script."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from fastapi import APIRouter
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from starlette.responses import FileResponse, Response

from t2i.version import __version__
from t2i_server.errors import ApiError
from t2i_server.state import Server

router = APIRouter()
FOLDER = Path(__file__).parents[1] / "page"
TYPES = {".js": "text/javascript", ".css": "text/css"}
STATIC = {path.name: path for path in (FOLDER / "static").iterdir()}


@router.get("/", response_model=None)
async def page(server: Server) -> Response:
    """The page; it asks the API for everything it shows."""
    text = _template().render(
        version=__version__,
        per_request=server.settings.per_request,
        has_search=server.searcher is not None,
        has_chat=server.chat is not None,
    )
    return Response(text, media_type="text/html")


@router.get("/static/{name}", response_model=None)
async def static(name: str) -> Response:
    """The page's style, script or icon."""
    if name not in STATIC:
        raise ApiError(404, "There is no such file.", "not_found")
    return FileResponse(STATIC[name], media_type=TYPES[STATIC[name].suffix], headers={"Cache-Control": "no-cache"})


@cache
def _template() -> Template:
    environment = Environment(loader=FileSystemLoader(FOLDER / "templates"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("index.html")
