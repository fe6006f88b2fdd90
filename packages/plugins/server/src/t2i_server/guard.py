"""Access control: keys, the Host header, and the size and time of a request's body."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from t2i_server.errors import ApiError
from t2i_server.keys import Keys
from t2i_server.responses import refusal
from t2i_server.settings import BODY_BYTES, BODY_SECONDS, PICTURE_BYTES, SEND_SECONDS

OPEN = ("/", "/healthz", "/readyz")  # without a key; they say nothing about models
OPEN_FOLDER = "/static/"
PICTURES = "/v1/provenance"  # the only route that takes a picture


@final
class Guard:
    """Refuses requests before they reach the application, and gives up on clients that stall."""

    def __init__(self, app: ASGIApp, keys: Keys, hosts: Collection[str]) -> None:
        """
        Args:
            hosts: names this server answers to, in lower case; without keys, a page of another name that points to
                this machine (DNS rebinding) would otherwise read the answers. Empty: any.
        """
        self._app, self._keys, self._hosts = app, keys, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check(scope)
            received = await _body(scope, receive)
        except ApiError as error:
            await refusal(error)(scope, receive, send)
            return

        async def patient(message: Message) -> None:
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        await self._app(scope, received, patient)

    def _check(self, scope: Scope) -> None:
        """
        Raises:
            ApiError: 403, the Host header is another's; 401, there is no valid key; 415, the body is not JSON; 413, it
                is too large.
        """
        headers = Headers(scope=scope)
        host = _without_port(headers.get("host", ""))
        if self._hosts and host not in self._hosts:
            message = (
                f"This server accepts requests for {', '.join(sorted(self._hosts))}, got one for {host[:100]!r}. "
                f"Its operator can add another name of this machine (--host NAME) or allow any with keys (--keys FILE)."
            )
            raise ApiError(403, message, "wrong_host")
        path = scope["path"]
        if path not in OPEN and not path.startswith(OPEN_FOLDER):
            owner = self._keys.owner(headers.get("authorization"))
            if owner is None:
                message = "The request must have a key that this server knows, in the header Authorization: Bearer KEY"
                raise ApiError(401, message, "invalid_api_key", headers={"WWW-Authenticate": "Bearer"})
            scope["state"]["key"] = owner
        is_json = headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
        if scope["method"] == "POST" and path != PICTURES and not is_json:  # a form of any website can send other types
            raise ApiError(415, "The body must be JSON: Content-Type: application/json", "wrong_type")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 15 or int(length) > _limit(scope):
            raise _too_large(scope)


async def _body(scope: Scope, receive: Receive) -> Receive:
    """Read the whole body, within limits of size and time; returns a `receive` that gives it, then disconnects.

    Raises:
        ApiError: 413, it is too large; 408, it takes too long.
    """
    parts, size, more = list[bytes](), 0, True
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while more:
                message = await receive()
                if message["type"] != "http.request":  # the client has left
                    break
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                more = message.get("more_body", False)
                if size > _limit(scope):
                    raise _too_large(scope)
    except TimeoutError:
        slow = f"A request's body must arrive within {BODY_SECONDS:g} s. Send it again, faster."
        raise ApiError(408, slow, "slow_body", headers={"Connection": "close"}) from None
    given = False

    async def received() -> Message:
        nonlocal given
        if given or more:
            return await receive()
        given = True
        return {"type": "http.request", "body": b"".join(parts), "more_body": False}

    return received


def _limit(scope: Scope) -> int:
    return PICTURE_BYTES if scope["path"] == PICTURES else BODY_BYTES


def _too_large(scope: Scope) -> ApiError:
    message = f"The body of this request may have at most {_limit(scope):,} bytes. Send less."
    return ApiError(413, message, "body_too_large", headers={"Connection": "close"})


def _without_port(host: str) -> str:
    name, colon, port = host.lower().rpartition(":")
    return name if colon and port.isdecimal() else host.lower()
