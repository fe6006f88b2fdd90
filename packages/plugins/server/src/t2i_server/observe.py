"""The outermost layer: times every request, counts it, logs it, adds security headers; no exception gets past it."""

from __future__ import annotations

import secrets
import time
import traceback
from typing import Any, final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from t2i_server.errors import broken
from t2i_server.log import error_text, log_line
from t2i_server.metrics import Metrics
from t2i_server.responses import refusal

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
QUIET = ("/healthz", "/readyz", "/metrics")  # are not logged while they succeed
METHODS = ("GET", "POST", "HEAD", "OPTIONS")  # others are counted as one, so that nobody can fill the memory
MOST_TRACE = 4000  # characters


@final
class Observe:
    """Logs one line of JSON for each request on stderr. Prompts are in it only if asked for."""

    def __init__(self, app: ASGIApp, metrics: Metrics, *, log_prompts: bool) -> None:
        self._app, self._metrics, self._log_prompts = app, metrics, log_prompts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, identifier = time.perf_counter(), secrets.token_hex(8)
        facts: dict[str, Any] = {}
        scope.setdefault("state", {}).update(facts=facts, key="", id=identifier)
        status, is_whole = 0, False

        async def noted(message: Message) -> None:
            nonlocal status, is_whole
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in {**HEADERS, "X-Request-ID": identifier}.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)
            is_whole = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await self._app(scope, receive, noted)
        except Exception as error:
            facts["error"] = error_text(error)
            if not isinstance(error, TimeoutError):  # the client does not read its answer
                facts["traceback"] = traceback.format_exc()[-MOST_TRACE:]
            if not status:
                await refusal(broken(identifier))(scope, receive, noted)
            elif not is_whole:
                raise ConnectionAbortedError("the answer was not finished") from error  # uvicorn closes the connection
        finally:
            self._note(scope, identifier, status or 499, time.perf_counter() - began, facts)

    def _note(self, scope: Scope, identifier: str, status: int, seconds: float, facts: dict[str, Any]) -> None:
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in METHODS else "other"
        self._metrics.requests.labels(route, method, status).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        if route in QUIET and status == 200:
            return
        shown = {name: value for name, value in facts.items() if name != "prompt" or self._log_prompts}
        log_line(
            id=identifier,
            client=(scope.get("client") or ("",))[0],
            key=scope["state"].get("key", ""),
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
            **shown,
        )
