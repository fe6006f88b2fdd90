"""The queue: requests of one model and one set of options are drawn together; each picture is as if drawn alone."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import final

from PIL import Image

from t2i.config import Config
from t2i.drawing.artist import Request
from t2i.drawing.picture import Picture
from t2i.drawing.pipeline import ROW_TILE
from t2i.service import Service
from t2i_server.errors import ApiError, busy
from t2i_server.metrics import Metrics
from t2i_server.models import ServedModel
from t2i_server.settings import ServerSettings
from t2i_server.worker import Answer, Batch, Partial, Task

LEARNING = 0.2  # weight of the last batch in the time per picture
FIRST_GUESS = 0.1  # seconds per picture

News = asyncio.Queue[tuple[int, Image.Image | asyncio.Future[Picture]]]
"""Stages and pictures, with their place in the request."""


@dataclass(frozen=True)
class Group:
    """What pictures drawn together have in common.

    Attributes:
        model: the id of a served model.
        options: of the model, as JSON.
        partial: most stages of each picture that are sent.
    """

    model: str
    options: str
    partial: int


@dataclass(eq=False)
class Ticket:
    """One picture that was accepted.

    Attributes:
        number: of all pictures so far.
        place: in its request.
        news: of its request; gets each stage, then the picture.
        last: number of the last stage; -1 before the first.
    """

    number: int
    place: int
    request: Request
    picture: asyncio.Future[Picture]
    news: News = field(repr=False)
    last: int = -1

    def stage(self, number: int, image: Image.Image) -> None:
        """Pass on a stage, unless it was passed on before: a batch whose replica was lost is drawn again."""
        if number > self.last and not self.picture.done():
            self.last = number
            self.news.put_nowait((self.place, image))

    def settle(self, drawn: Picture | Exception) -> None:
        """Pass on the picture, unless it was given up."""
        if self.picture.done():
            return
        if isinstance(drawn, Picture):
            self.picture.set_result(drawn)
        else:
            self.picture.set_exception(drawn)


@dataclass(frozen=True)
class Order:
    """The pictures of one request, in order; each is done as soon as it is drawn."""

    tickets: tuple[Ticket, ...] = field(repr=False)
    news: News = field(repr=False)

    @property
    def pictures(self) -> list[asyncio.Future[Picture]]:
        return [ticket.picture for ticket in self.tickets]

    async def next(self) -> tuple[int, Image.Image | Picture]:
        """The next stage or picture, as soon as it is drawn, with its place in the request; each picture comes once.

        Raises:
            Exception: a picture cannot be drawn.
        """
        place, new = await self.news.get()
        return place, new.result() if isinstance(new, asyncio.Future) else new

    def cancel(self) -> None:
        """Give up the pictures that are not drawn yet; a batch that is being drawn is finished."""
        for ticket in self.tickets:
            ticket.picture.cancel()


@final
class Batcher:
    """Accepts pictures, and gives them in batches to the replicas of a service, as many at once as there are."""

    def __init__(self, service: Service[Task, Answer], settings: ServerSettings, metrics: Metrics) -> None:
        self._service, self._settings, self._metrics = service, settings, metrics
        self._groups: dict[Group, deque[Ticket]] = {}
        self._open: Counter[str] = Counter()  # pictures accepted and not yet drawn, by key
        metrics.waiting.set_function(self._open.total)
        self._arrived = asyncio.Event()
        self._free = asyncio.Semaphore(service.replicas)
        self._count = 0
        self._seconds_per_picture = FIRST_GUESS
        self._tasks: set[asyncio.Task[None]] = set()
        self.accepting = False

    async def start(self) -> Sequence[ServedModel]:
        """Load the models, then draw until `stop`; returns what is served.

        Raises:
            UnknownNameError, PluginError, SnapshotError: there is no usable model of a name.
            EngineError: the replicas cannot start.
        """
        await self._service.start()
        (served,) = [answer async for answer in self._service.ask(None)]
        self._begin(self._run())
        self.accepting = True
        return served  # type: ignore[return-value]  # the answer to None

    async def stop(self) -> None:
        """Accept nothing more, draw what was accepted and not given up, and end the service."""
        self.accepting = False
        while self._open.total():
            await asyncio.sleep(0.01)
        for task in list(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self._service.stop()

    def submit(self, model: str, options: Config, requests: Iterable[Request], *, key: str, partial: int = 0) -> Order:
        """Accept pictures.

        Args:
            model: the id of a served model.
            options: of that model.
            key: whose they are.
            partial: most stages of each picture to give before it.

        Raises:
            ApiError: 429, the queue is full or this key has too many pictures in it; 503, the server stops.
        """
        requests = list(requests)
        self._check(len(requests), key)
        group = Group(model, options.model_dump_json(), partial)
        news = News()
        tickets = tuple(self._ticket(place, request, key, news) for place, request in enumerate(requests))
        self._groups.setdefault(group, deque()).extend(tickets)
        self._arrived.set()
        return Order(tickets, news)

    def _check(self, count: int, key: str) -> None:
        if not self.accepting:
            raise ApiError(503, "The server is stopping. Try another one, or again later.", "stopping")
        total, own = self._open.total(), self._open[key]
        if total + count > self._settings.queue:
            raise busy(
                f"The queue holds at most {self._settings.queue} pictures, and {total} wait already. Try again later.",
                "queue_full",
                total * self._seconds_per_picture,
            )
        if own + count > self._settings.per_key:
            raise busy(
                f"Each key may have {self._settings.per_key} pictures waiting, and {own} of yours do. Wait for them.",
                "key_limit",
                own * self._seconds_per_picture,
            )

    def _ticket(self, place: int, request: Request, key: str, news: News) -> Ticket:
        self._count += 1
        self._open[key] += 1
        ticket = Ticket(self._count, place, request, asyncio.get_running_loop().create_future(), news)

        def closed(picture: asyncio.Future[Picture]) -> None:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
            if not picture.cancelled():
                picture.exception()  # it is reported to the client, if there still is one
                news.put_nowait((place, picture))

        ticket.picture.add_done_callback(closed)
        return ticket

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            await self._free.acquire()
            if self._settings.wait_ms and max(map(len, self._groups.values())) < self._settings.batch:
                await asyncio.sleep(self._settings.wait_ms / 1000)
            group, tickets = self._next()
            if tickets:
                self._begin(self._draw(group, tickets))
            else:
                self._free.release()

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the event loop alone would not keep it
        task.add_done_callback(self._tasks.discard)

    def _next(self) -> tuple[Group, list[Ticket]]:
        """The batch of the picture that has waited longest; without those given up.

        A CPU draws ROW_TILE pictures at once, and five take it as long as eight: the fifth waits for the next batch.
        """
        group = min(self._groups, key=lambda group: self._groups[group][0].number)
        waiting, batch = self._groups[group], list[Ticket]()
        while waiting and len(batch) < self._settings.batch:
            ticket = waiting.popleft()
            if not ticket.picture.done():
                batch.append(ticket)
        while len(batch) > ROW_TILE and len(batch) % ROW_TILE:
            waiting.appendleft(batch.pop())
        if not waiting:
            del self._groups[group]
        if not self._groups:
            self._arrived.clear()
        return group, batch

    async def _draw(self, group: Group, tickets: Sequence[Ticket]) -> None:
        began = time.perf_counter()
        requests = tuple(ticket.request for ticket in tickets)
        batch = Batch(group.model, json.loads(group.options), requests, group.partial)
        try:
            async for answer in self._service.ask(batch):
                if isinstance(answer, Partial):
                    for ticket, image in zip(tickets, answer.images, strict=True):
                        ticket.stage(answer.number, image)
                else:
                    self._learn(group.model, len(tickets), time.perf_counter() - began)
                    for ticket, drawn in zip(tickets, answer, strict=True):
                        ticket.settle(drawn)  # type: ignore[arg-type]  # the answer to a batch
        except Exception as error:  # of the engine
            for ticket in tickets:
                ticket.settle(error)
        finally:
            self._free.release()

    def _learn(self, model: str, pictures: int, seconds: float) -> None:
        self._metrics.batch(model, pictures, seconds)
        now = seconds / pictures / self._service.replicas
        self._seconds_per_picture += LEARNING * (now - self._seconds_per_picture)
