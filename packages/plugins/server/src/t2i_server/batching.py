"""Requests of one model and one set of options are drawn together; each picture is the same as if drawn alone."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import final

from t2i.config import Config
from t2i.drawing.artist import Request
from t2i.drawing.picture import Picture
from t2i_server.errors import ApiError, busy
from t2i_server.metrics import Metrics
from t2i_server.models import Models
from t2i_server.settings import ServerSettings

LEARNING = 0.2  # weight of the last batch in the time per picture
FIRST_GUESS = 0.1  # seconds per picture


@dataclass(frozen=True)
class Group:
    """What pictures drawn together have in common.

    Attributes:
        model: the id of a served model.
        options: of the model, as JSON.
    """

    model: str
    options: str
    stages: bool


@dataclass(eq=False)
class Ticket:
    """One picture that was accepted."""

    number: int
    request: Request
    options: Config
    picture: asyncio.Future[Picture]


@dataclass(frozen=True)
class Order:
    """The pictures of one request, in order; each is done as soon as it is drawn."""

    tickets: tuple[Ticket, ...] = field(repr=False)

    @property
    def pictures(self) -> list[asyncio.Future[Picture]]:
        return [ticket.picture for ticket in self.tickets]

    def cancel(self) -> None:
        """Give up the pictures that are not drawn yet; a batch that is being drawn is finished."""
        for ticket in self.tickets:
            ticket.picture.cancel()


@final
class Batcher:
    """Draws accepted pictures in batches, in one thread."""

    def __init__(self, models: Models, settings: ServerSettings, metrics: Metrics) -> None:
        self._models, self._settings, self._metrics = models, settings, metrics
        self._thread = ThreadPoolExecutor(1, "drawing")
        self._groups: dict[Group, deque[Ticket]] = {}
        self._open: Counter[str] = Counter()  # pictures accepted and not yet drawn, by key
        metrics.waiting.set_function(self._open.total)
        self._arrived = asyncio.Event()
        self._count = 0
        self._seconds_per_picture = FIRST_GUESS
        self._task: asyncio.Task[None] | None = None
        self.accepting = False

    async def start(self) -> None:
        """Load the models, then draw until `stop`.

        Raises:
            UnknownNameError, PluginError, SnapshotError: there is no usable model of a name.
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._models.load)
        self._task = asyncio.create_task(self._run())
        self.accepting = True

    async def stop(self) -> None:
        """Accept nothing more, draw what was accepted and not given up, and end the thread."""
        self.accepting = False
        while self._open.total():
            await asyncio.sleep(0.01)
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._thread.shutdown()

    def submit(self, model: str, options: Config, requests: Sequence[Request], *, stages: bool, key: str) -> Order:
        """Accept pictures.

        Args:
            model: the id of a served model.
            options: of that model.
            key: whose they are.

        Raises:
            ApiError: 429, the queue is full or this key has too many pictures in it; 503, the server stops.
        """
        self._check(len(requests), key)
        group = Group(model, options.model_dump_json(), stages)
        tickets = tuple(self._ticket(request, options, key) for request in requests)
        self._groups.setdefault(group, deque()).extend(tickets)
        self._arrived.set()
        return Order(tickets)

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

    def _ticket(self, request: Request, options: Config, key: str) -> Ticket:
        self._count += 1
        self._open[key] += 1
        ticket = Ticket(self._count, request, options, asyncio.get_running_loop().create_future())

        def closed(picture: asyncio.Future[Picture]) -> None:
            self._open[key] -= 1
            if not self._open[key]:
                del self._open[key]
            if not picture.cancelled():
                picture.exception()  # it is reported to the client, if there still is one

        ticket.picture.add_done_callback(closed)
        return ticket

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            if self._settings.wait_ms and max(map(len, self._groups.values())) < self._settings.batch:
                await asyncio.sleep(self._settings.wait_ms / 1000)
            group, tickets = self._next()
            if tickets:
                await self._draw(group, tickets)

    def _next(self) -> tuple[Group, list[Ticket]]:
        """The batch of the picture that has waited longest; without those given up."""
        group = min(self._groups, key=lambda group: self._groups[group][0].number)
        waiting, batch = self._groups[group], list[Ticket]()
        while waiting and len(batch) < self._settings.batch:
            ticket = waiting.popleft()
            if not ticket.picture.done():
                batch.append(ticket)
        if not waiting:
            del self._groups[group]
        if not self._groups:
            self._arrived.clear()
        return group, batch

    async def _draw(self, group: Group, tickets: Sequence[Ticket]) -> None:
        began = time.perf_counter()
        loop = asyncio.get_running_loop()
        drawn = await loop.run_in_executor(self._thread, self._drawn, group, tickets)
        took = time.perf_counter() - began
        self._seconds_per_picture += LEARNING * (took / len(tickets) - self._seconds_per_picture)
        self._metrics.batch(group.model, len(tickets), took)
        for ticket, picture in zip(tickets, drawn, strict=True):
            if ticket.picture.done():
                continue  # given up meanwhile
            if isinstance(picture, Picture):
                ticket.picture.set_result(picture)
            else:
                ticket.picture.set_exception(picture)

    def _drawn(self, group: Group, tickets: Sequence[Ticket]) -> list[Picture | Exception]:
        """Each ticket's picture; if a batch fails, each is drawn alone, so that one cannot spoil the others."""
        try:
            artist = self._models.artist(group.model)
            requests = [ticket.request for ticket in tickets]
            drawn = artist.draw(requests, tickets[0].options, batch_size=len(tickets), stages=group.stages)
            pictures: list[Picture | Exception] = list(drawn)
            if len(pictures) != len(tickets):
                raise RuntimeError(f"{group.model} drew {len(pictures)} pictures for {len(tickets)} requests")
            return pictures
        except Exception as error:  # of any plugin
            if len(tickets) == 1:
                return [error]
            return [self._drawn(group, [ticket])[0] for ticket in tickets]
