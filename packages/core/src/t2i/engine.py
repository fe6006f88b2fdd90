"""The contract of engines: small tasks, done by workers that keep what is costly to load, such as a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Self, final

from t2i.arguments import check_whole_number
from t2i.errors import InvalidInputError
from t2i.service import OneReplica, ResultT, Service, TaskT


class Engine(ABC):
    """Spreads tasks over workers: processes of this machine, or of many.

    Use it in a `with` statement, which ends its workers.
    """

    @abstractmethod
    def map(self, open_worker: Callable[[], Callable[[TaskT], ResultT]], tasks: Iterable[TaskT]) -> Iterator[ResultT]:
        """The result of each task, in the order of the tasks.

        Args:
            open_worker: called once in each worker, to load what all tasks need; returns the function that does one
                task. An engine with several processes pickles it, tasks and results, for its own processes alone.
            tasks: read a few at a time, so that a long list needs little memory. If a worker is lost, another one
                does its task again, so doing a task twice must be the same as doing it once.

        Raises:
            EngineError: workers are lost again and again, or cannot start.
            Exception: whatever `open_worker` or a task raises.
        """

    @abstractmethod
    def serve(
        self, open_worker: Callable[[], Callable[[TaskT], Iterable[ResultT]]], replicas: int | None = None
    ) -> Service[TaskT, ResultT]:
        """A service that answers tasks as they come, not started yet.

        Args:
            open_worker: called in each replica; returns the function that gives the results of one task. It, tasks
                and results are pickled as those of `map`.
            replicas: by default one for each worker.

        Raises:
            InvalidInputError: there are not so many workers.
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
    """Does the tasks one by one in this process, without workers."""

    def map(self, open_worker: Callable[[], Callable[[TaskT], ResultT]], tasks: Iterable[TaskT]) -> Iterator[ResultT]:
        do = open_worker()
        return (do(task) for task in tasks)

    def serve(
        self, open_worker: Callable[[], Callable[[TaskT], Iterable[ResultT]]], replicas: int | None = None
    ) -> Service[TaskT, ResultT]:
        check_replicas(replicas, 1)
        return OneReplica(open_worker)

    def close(self) -> None:
        pass  # it has no workers


def check_replicas(replicas: int | None, workers: int) -> int:
    """The number of replicas of a service: by default one for each worker.

    Raises:
        InvalidInputError: it is not a whole number from 1 to `workers`.
    """
    if replicas is None:
        return workers
    check_whole_number(replicas, "The number of replicas", 1)
    if replicas > workers:
        raise InvalidInputError(
            f"An engine has at most one replica for each worker: this one has {workers}, got {replicas} replicas. "
            f"Take an engine with more workers, such as --engine local:{replicas}"
        )
    return replicas
