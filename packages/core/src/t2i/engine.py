"""The contract of engines: small tasks, done by workers that keep what is costly to load, such as a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar, final

TaskT = TypeVar("TaskT")
ResultT = TypeVar("ResultT")


class Engine(ABC):
    """Spreads tasks over workers: processes of this machine, or of many.

    Use it in a `with` statement, which ends its workers.
    """

    @abstractmethod
    def map(self, open_worker: Callable[[], Callable[[TaskT], ResultT]], tasks: Iterable[TaskT]) -> Iterator[ResultT]:
        """The result of each task, in the order of the tasks.

        Args:
            open_worker: called once in each worker, to load what all tasks need; returns the function that does one
                task. It, tasks and results are pickled by the engine, from one of its own processes to another.
            tasks: read a few at a time, so that a billion of them need no memory. If a worker is lost, another one
                does its task again, so doing a task twice must be the same as doing it once.

        Raises:
            EngineError: workers are lost again and again, or cannot start.
            Exception: whatever `open_worker` or a task raises.
        """

    @abstractmethod
    def close(self) -> None:
        """End all workers now, whatever they are doing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@final
class OneProcess(Engine):
    """Does the tasks one by one in this process: the engine that needs none."""

    def map(self, open_worker: Callable[[], Callable[[TaskT], ResultT]], tasks: Iterable[TaskT]) -> Iterator[ResultT]:
        do = open_worker()
        return (do(task) for task in tasks)

    def close(self) -> None:
        pass  # it has no workers
