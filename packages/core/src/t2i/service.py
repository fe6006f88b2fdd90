"""The contract of services: replicas that keep what is costly to load, and answer tasks as they come."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar, final

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")
_END = object()


class Service(ABC, Generic[TaskT, ResultT]):
    """Replicas of one worker; an engine's `serve` makes it. Use it from one event loop: `start`, `ask`, then `stop`.

    Attributes:
        replicas: their number, which is also the number of tasks that are answered at once.
    """

    replicas: int

    @abstractmethod
    async def start(self) -> None:
        """Open all replicas.

        Raises:
            EngineError: they cannot start.
            Exception: whatever `open_worker` raises.
        """

    @abstractmethod
    def ask(self, task: TaskT) -> AsyncIterator[ResultT]:
        """The results of a task, each as soon as a replica gives it; waits until a replica is free.

        If the replica is lost, another one does the task from the beginning, so results that were given already are
        given again.

        Raises:
            EngineError: replicas are lost again and again.
            Exception: whatever the task raises.
        """

    @abstractmethod
    async def stop(self) -> None:
        """End all replicas; call it when every task has been answered."""


@final
class OneReplica(Service[TaskT, ResultT]):
    """A thread of this process."""

    replicas = 1

    def __init__(self, open_worker: Callable[[], Callable[[TaskT], Iterable[ResultT]]]) -> None:
        self._open = open_worker
        self._thread = ThreadPoolExecutor(1, "replica")

    async def start(self) -> None:
        self._do = await asyncio.get_running_loop().run_in_executor(self._thread, self._open)

    async def ask(self, task: TaskT) -> AsyncIterator[ResultT]:
        loop, results = asyncio.get_running_loop(), asyncio.Queue[object]()

        def work() -> None:
            for each in self._do(task):
                loop.call_soon_threadsafe(results.put_nowait, each)

        done = loop.run_in_executor(self._thread, work)
        done.add_done_callback(lambda _: results.put_nowait(_END))
        while (each := await results.get()) is not _END:
            yield each  # type: ignore[misc]  # a ResultT
        await done  # raises what the task raised

    async def stop(self) -> None:
        self._thread.shutdown()
