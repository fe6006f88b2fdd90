"""A t2i server on loopback, in a thread of the test's process; and an artist that waits until it may draw."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvicorn

from fakes.artist import ShardedArtist, write_artist
from t2i.config import Config
from t2i.drawing.artist import DEFAULT_BATCH_SIZE, Request
from t2i.drawing.picture import Picture
from t2i.engine import Engine
from t2i_server.app import application
from t2i_server.build import build
from t2i_server.keys import Keys
from t2i_server.run import address_of, bind, close_idle, configuration
from t2i_server.settings import ServerSettings
from t2i_server.state import State

GENERATIONS = "/v1/images/generations"


@dataclass(frozen=True)
class Answer:
    """A status, headers in lower case, and a body."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Mapping[str, Any]:
        """The error, after checking that it has the form of the OpenAI API."""
        (error,) = [value for name, value in self.json.items() if name == "error"]
        assert set(error) == {"message", "type", "param", "code"}, error
        return error


@dataclass(frozen=True)
class Served:
    """A running server.

    Attributes:
        address: "http://127.0.0.1:41234".
    """

    address: str
    state: State

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request on a connection of its own."""
        connection = http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("GET", path, None, headers)

    def post(self, path: str, value: Any, headers: Mapping[str, str] | None = None) -> Answer:
        """Send a value as JSON."""
        return self.ask(
            "POST", path, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})}
        )

    def draw(self, headers: Mapping[str, str] | None = None, **fields: Any) -> Answer:
        return self.post(GENERATIONS, {"prompt": "a red square", **fields}, headers)


@contextmanager
def serving(
    names: Mapping[str, str],
    keys: Mapping[str, str] | None = None,
    lm: Sequence[str] = (),
    hosts: Sequence[str] = (),
    engine: Engine | None = None,
    **settings: Any,
) -> Iterator[Served]:
    """Serve models on a free port until the block ends; the server stops gracefully."""
    chosen = ServerSettings(**settings)
    state = build(names, chosen, lm, "cpu", engine=engine)
    listener = bind("127.0.0.1", 0)
    address = address_of(listener)
    app = application(state, Keys(dict(keys or {})), hosts)
    server = uvicorn.Server(configuration(app, chosen.deadline_seconds))
    failed: list[BaseException] = []

    async def serve() -> None:
        await state.start()
        watch = asyncio.create_task(close_idle(server))
        await server.serve([listener])
        watch.cancel()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.02)
        if failed:
            raise failed[0]
        yield Served(address, state)
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()
        listener.close()
    assert not failed, failed


def logged(capsys: pytest.CaptureFixture[str], count: int, *, without: int = 0) -> list[dict[str, Any]]:
    """The first lines of the access log since the last call. A line may follow its answer, so those with the status
    `without`, which earlier tests of the same server caused, are left out."""
    text, lines, end = "", list[dict[str, Any]](), time.monotonic() + 10
    while len(lines) < count and time.monotonic() < end:
        text += capsys.readouterr().err
        whole = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
        lines = [line for line in whole if line["status"] != without]
    return lines


@dataclass
class Gate:
    """Lets artists draw, and remembers the batches that they were given.

    Attributes:
        open: drawing waits for it.
        batches: prompts and seeds, batch by batch.
        failing: prompts that cannot be drawn.
    """

    open: threading.Event = field(default_factory=threading.Event)
    started: threading.Event = field(default_factory=threading.Event)
    batches: list[list[tuple[str, int]]] = field(default_factory=list)
    failing: set[str] = field(default_factory=set)


class GatedArtist(ShardedArtist):
    """Draws as a ShardedArtist when its gate is open."""

    def __init__(self, folder: Path, gate: Gate) -> None:
        super().__init__(folder, str(folder), "cpu")
        self._gate = gate

    def draw(
        self,
        requests: Iterable[Request],
        options: Config | None = None,
        *,
        batch_size: int = DEFAULT_BATCH_SIZE,
        stages: bool = False,
    ) -> Iterator[Picture]:
        asked = list(requests)
        self._gate.batches.append([(request.prompt, request.seed) for request in asked])
        self._gate.started.set()
        assert self._gate.open.wait(30)
        if self._gate.failing & {request.prompt for request in asked}:
            raise RuntimeError("a secret of /home/operator")
        return super().draw(asked, options, batch_size=batch_size, stages=stages)


def gated(folder: Path) -> tuple[GatedArtist, Gate]:
    """An artist in a new folder, and its gate."""
    gate = Gate()
    return GatedArtist(write_artist(folder), gate), gate
