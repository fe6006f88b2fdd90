"""The application: the routes, and the layers around them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from t2i.arguments import shown
from t2i.errors import T2IError
from t2i.version import __version__
from t2i_server.api import chat, images, listing, page, provenance, search, status
from t2i_server.errors import ApiError, as_api_error, broken
from t2i_server.guard import Guard
from t2i_server.keys import Keys
from t2i_server.log import error_text
from t2i_server.observe import Observe
from t2i_server.responses import refusal
from t2i_server.state import State, note

MOST_PROBLEMS = 5


def application(state: State, keys: Keys, hosts: Collection[str] = ()) -> ASGIApp:
    """The whole server as an ASGI application.

    Args:
        hosts: names it answers to, see `Guard`; empty: any.
    """
    api = FastAPI(title="t2i", version=__version__, docs_url=None, redoc_url=None, lifespan=_lifespan)
    api.state.t2i = state
    for each in (images, chat, listing, search, provenance, status, page):
        api.include_router(each.router)
    api.add_exception_handler(ApiError, _refused)
    api.add_exception_handler(T2IError, _failed)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _http)
    api.add_exception_handler(Exception, _broken)
    guarded: ASGIApp = Guard(api, keys, hosts)
    if origins := state.settings.allow_origins:
        headers = ["Authorization", "Content-Type"]
        guarded = CORSMiddleware(guarded, allow_origins=origins, allow_methods=["GET", "POST"], allow_headers=headers)
    return Observe(guarded, state.metrics, log_prompts=state.settings.log_prompts)


@asynccontextmanager
async def _lifespan(api: FastAPI) -> AsyncIterator[None]:
    """At the end, draw what was accepted and write what is kept; `State.start` is called earlier."""
    yield
    await api.state.t2i.stop()


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    note(request, code=error.code)
    if error.status == 429:
        request.app.state.t2i.metrics.refused.labels(error.code).inc()
    return refusal(error)


async def _failed(request: Request, error: Exception) -> Response:
    assert isinstance(error, T2IError)
    note(request, error=error_text(error))
    return refusal(as_api_error(error))


async def _broken(request: Request, error: Exception) -> Response:
    return refusal(broken(request.state.id))  # `Observe` logs it


async def _invalid(request: Request, error: Exception) -> Response:
    """Every wrong field of the request, in one message."""
    assert isinstance(error, RequestValidationError)
    sentences, first = [], None
    for problem in error.errors()[:MOST_PROBLEMS]:
        field = ".".join(str(part) for part in problem["loc"] if part not in ("body", "query"))[:100]
        first = first or field or None
        sentences.append(f"{field or 'the body'}: {problem['msg']}, got {shown(problem.get('input'))}")
    return refusal(ApiError(400, "; ".join(sentences), "invalid_request", first))


async def _http(request: Request, error: Exception) -> Response:
    """An unknown path or method, or a body that is not JSON."""
    assert isinstance(error, HTTPException)
    known = {404: "There is nothing at this address.", 405: "This address does not take this method."}
    message = known.get(error.status_code, str(error.detail))
    return refusal(ApiError(error.status_code, message, headers=error.headers))
