"""What the routes share."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Request

from t2i_server.batching import Batcher
from t2i_server.catalog import Catalog
from t2i_server.chat import Chat
from t2i_server.errors import ApiError, late
from t2i_server.keeping import Keeper
from t2i_server.metrics import Metrics
from t2i_server.rate import Rate
from t2i_server.searching import Searcher
from t2i_server.settings import ServerSettings

ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class State:
    """The parts of a running server.

    Attributes:
        chat, keeper, searcher: None where the operator did not ask for them.
        encoding: threads that turn pictures into files and read those that are sent.
    """

    settings: ServerSettings
    models: Catalog
    batcher: Batcher
    metrics: Metrics
    rate: Rate
    chat: Chat | None = None
    keeper: Keeper | None = None
    searcher: Searcher | None = None
    encoding: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, "encoding"))

    async def start(self) -> None:
        """Load the models.

        Raises:
            UnknownNameError, PluginError, SnapshotError: one cannot be loaded.
            EngineError: the engine's replicas cannot start.
        """
        self.models.fill(await self.batcher.start())
        if self.chat is not None:
            await self.chat.start()

    async def stop(self) -> None:
        """Draw what was accepted, write what is kept, and end all threads."""
        await self.batcher.stop()
        for part in (self.chat, self.keeper, self.searcher):
            if part is not None:
                part.stop()
        self.encoding.shutdown()


async def _state(request: Request) -> State:  # FastAPI would run a plain function in a thread
    return cast(State, request.app.state.t2i)


Server = Annotated[State, Depends(_state)]


def key_of(request: Request) -> str:
    """The name of the key that the request came with."""
    return str(request.state.key)


def note(request: Request, **facts: Any) -> None:
    """Add to the request's line in the access log."""
    request.state.facts.update(facts)


async def while_connected(request: Request, work: Coroutine[Any, Any, ResultT], seconds: float) -> ResultT:
    """Run `work`, and cancel it if the client leaves or the deadline passes.

    Raises:
        ApiError: 499, the client has left; 504, the deadline has passed.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if gone.done():
            raise ApiError(499, "The client has left.", "client_left")
        raise late(seconds)
    finally:
        for each in (task, gone):
            if not each.done():
                each.cancel()
                with suppress(asyncio.CancelledError):
                    await each


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
