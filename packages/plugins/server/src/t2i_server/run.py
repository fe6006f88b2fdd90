"""Runs the server: its socket, its signals, its idle connections."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, NoReturn

import uvicorn
from starlette.types import ASGIApp

from t2i.errors import InvalidInputError, OutputError, UnreadPromptWarning
from t2i.interrupts import as_one, handling
from t2i_server.settings import CONNECTIONS, IDLE_SECONDS, SEND_SECONDS
from t2i_server.state import State

CLOSED_AFTER = 5  # seconds without a request on a connection that had one
OPEN_FILES = 65_536


def bind(host: str, port: int) -> socket.socket:
    """A socket with the address, on which nobody listens yet; port 0 means any free one.

    Raises:
        InvalidInputError: there is no such address on this machine.
        OutputError: the port is in use, or needs more rights.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError, OverflowError) as error:
        raise InvalidInputError(f"There is no address {host!r} to serve on ({error}). Try --host 127.0.0.1") from None
    # Without IPPROTO_TCP, asyncio leaves Nagle's algorithm on, and bodies wait 40 ms for the client to confirm heads.
    listener = socket.socket(found[0], socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(found[4])
    except OSError as error:
        listener.close()
        raise OutputError(
            f"The address {host}, port {port}, cannot be served ({error.strerror}). Another program may use it: try "
            f"--port {port + 1 if port < 65_535 else 8000}"
        ) from None
    return listener


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine reaches it."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def address_of(listener: socket.socket) -> str:
    """Its http:// address."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def run(app: ASGIApp, state: State, listener: socket.socket, ready: Callable[[], object]) -> None:
    """Load the models and serve until SIGINT or SIGTERM; then answer what was accepted.

    Args:
        ready: called once requests are answered.

    Raises:
        UnknownNameError, PluginError, SnapshotError: a model cannot be loaded.
        KeyboardInterrupt: after SIGINT.
        SystemExit: 0 after SIGTERM.
    """
    warnings.simplefilter("ignore", UnreadPromptWarning)  # each answer says what was not read
    _allow_open_files()
    # uvicorn raises the signal again when it has stopped; asyncio waits for SIGINT only in place of the usual handler
    with handling({signal.SIGTERM: _end, signal.SIGINT: signal.default_int_handler}):
        asyncio.run(_serve(app, state, listener, ready))


async def _serve(app: ASGIApp, state: State, listener: socket.socket, ready: Callable[[], object]) -> None:
    await state.start()
    server = Server(configuration(app, state.settings.deadline_seconds))
    tasks = [asyncio.create_task(close_idle(server)), asyncio.create_task(_when_started(server, ready))]
    try:
        await server.serve([listener])
    finally:
        for task in tasks:
            task.cancel()
    await asyncio.sleep(0)  # after SIGINT, this is where asyncio raises KeyboardInterrupt


class Server(uvicorn.Server):
    """uvicorn's server; a second SIGINT makes it drop what is not answered yet."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._handle_once = as_one(super().handle_exit)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._handle_once(sig, frame)


def configuration(app: ASGIApp, deadline_seconds: float) -> uvicorn.Config:
    """How uvicorn serves the application."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="on",
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=CLOSED_AFTER,
        timeout_graceful_shutdown=round(deadline_seconds + SEND_SECONDS),
    )


async def _when_started(server: uvicorn.Server, ready: Callable[[], object]) -> None:
    while not server.started:
        await asyncio.sleep(0.05)
    ready()


async def close_idle(server: uvicorn.Server) -> None:
    """Close connections on which no whole request arrives, or whose client does not read; uvicorn waits for them.

    uvicorn itself closes connections that are idle after an answer.
    """
    since: dict[Any, tuple[Any, float]] = {}
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(1)
        waiting = {}
        for connection in list(server.server_state.connections):
            cycle: Any = getattr(connection, "cycle", None)
            if cycle is None or cycle.response_complete:
                begun, at = since.get(connection, (cycle, loop.time()))
                at = at if begun is cycle else loop.time()
                waiting[connection] = (cycle, at)
                if loop.time() - at > IDLE_SECONDS:
                    connection.transport.abort()
        since = waiting


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _allow_open_files() -> None:
    """Raise this process's limit of open files to what the system allows, so that idle connections cost no others."""
    if os.name == "posix":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
