"""A service of actors: each keeps what it has opened and answers one task at a time; a lost one is replaced."""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, final

from t2i.display import brief
from t2i.errors import EngineError, UnreadPromptWarning
from t2i.service import ResultT, Service, TaskT
from t2i_ray.worker import RETRIES, check_versions, enter, error_of, versions

log = logging.getLogger("t2i.ray")
AGAIN_SECONDS = 5.0  # between attempts to replace a replica

Answer = Callable[[Any], Iterable[Any]]


class Replica:
    """The actor; Ray runs `live` in a thread beside the one that answers."""

    def open(self, folder: str, open_worker: Callable[[], Answer]) -> dict[str, str]:
        """Open what tasks need; returns the versions here.

        Args:
            folder: the working folder of the process that asks, so that relative paths mean the same.
        """
        warnings.simplefilter("ignore", UnreadPromptWarning)  # each picture says what was not read
        enter(folder)
        self._answer = open_worker()
        return versions()

    def answer(self, task: Any) -> Iterator[Any]:
        """What the worker gives for a task, each as soon as it is there."""
        for result in self._answer(task):  # noqa: UP028  # Ray sends values to generators; `yield from` passes them on
            yield result

    def live(self) -> None:
        """Never returns: the call fails when this process ends."""
        threading.Event().wait()


@final
class Replicas(Service[TaskT, ResultT]):
    """Actors of a cluster that this process is connected to."""

    def __init__(
        self, open_worker: Callable[[], Callable[[TaskT], Iterable[ResultT]]], replicas: int, make: Callable[[], Any]
    ) -> None:
        """
        Args:
            make: a new actor of Replica.
        """
        self.replicas = replicas
        self._opening = (str(Path.cwd()), open_worker)
        self._make = make
        self._actors: set[Any] = set()
        self._free = asyncio.Queue[Any]()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        started = await asyncio.gather(*(self._add() for _ in range(self.replicas)), return_exceptions=True)
        if wrong := [error for error in started if error is not None]:
            await self.stop()
            raise wrong[0]

    async def ask(self, task: TaskT) -> AsyncIterator[ResultT]:
        import ray

        for _ in range(RETRIES + 1):
            actor = await self._next()
            try:
                async for result in actor.answer.options(num_returns="streaming").remote(task):
                    yield await result
                return
            except ray.exceptions.RayTaskError as error:
                raise error_of(error) from None
            except ray.exceptions.RayError:
                self._end(actor)
            finally:
                self._free.put_nowait(actor)
        raise EngineError(
            f"A task ended its replica {RETRIES + 1} times, or the cluster is gone. If the replicas run out of memory, "
            f"draw fewer pictures at once: --batch"
        )

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for actor in list(self._actors):
            self._end(actor)

    async def _next(self) -> Any:
        """A free replica, waited for; those that have ended are left out."""
        while (actor := await self._free.get()) not in self._actors:
            pass
        return actor

    async def _add(self) -> None:
        """Start a replica, which answers from now on, and is replaced when it is lost.

        Raises:
            Exception: whatever `open_worker` raises.
            EngineError: it has other versions, or is lost at once.
        """
        import ray

        actor = self._make()
        self._actors.add(actor)
        try:
            check_versions(await actor.open.remote(*self._opening))
        except ray.exceptions.RayTaskError as error:
            self._end(actor)
            raise error_of(error) from None
        except ray.exceptions.RayError as error:
            self._end(actor)
            raise EngineError(f"A replica was lost while it started: {brief(error)}") from None
        except BaseException:
            self._end(actor)
            raise
        self._free.put_nowait(actor)
        self._begin(self._watch(actor))

    async def _watch(self, actor: Any) -> None:
        """Replace a replica when its process ends."""
        import ray

        with suppress(ray.exceptions.RayError):
            await actor.live.remote()
        log.warning("a replica was lost; another one starts")
        self._end(actor)
        while True:
            try:
                await self._add()
                return
            except Exception as error:  # of any plugin
                log.warning("a replica cannot start (%s); trying again in %g s", brief(error), AGAIN_SECONDS)
                await asyncio.sleep(AGAIN_SECONDS)

    def _end(self, actor: Any) -> None:
        import ray

        self._actors.discard(actor)
        with suppress(Exception):  # it has ended, or Ray has
            ray.kill(actor)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)  # the event loop alone would not keep it
        task.add_done_callback(self._tasks.discard)
