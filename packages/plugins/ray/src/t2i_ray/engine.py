"""The engine: actors that keep what they have opened, each with two tasks at a time, and results in order."""

from __future__ import annotations

import logging
import secrets
import shutil
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, cast, final

from t2i.display import brief
from t2i.engine import Engine, check_replicas
from t2i.errors import EngineError, InvalidInputError
from t2i.service import ResultT, Service, TaskT
from t2i_ray.replicas import Replica, Replicas
from t2i_ray.worker import RETRIES, Worker, check_versions, error_of, make_actor

log = logging.getLogger("t2i.ray")
QUEUED = 2  # tasks of each worker: one that it does, one that waits
AHEAD = 64  # tasks of each worker that may be done before an earlier one is
PATIENCE_SECONDS = 60.0  # without any worker, before the user is told


@final
class RayEngine(Engine):
    """Workers of a Ray cluster that this process is connected to."""

    def __init__(
        self, workers: int, *, gpus: bool = False, cpus: int = 1, owned: bool = True, files: Path | None = None
    ) -> None:
        """
        Args:
            workers: their number.
            gpus: whether each needs a GPU.
            cpus: cores of each, and threads of its libraries.
            owned: whether `close` disconnects from Ray, and ends it if it was started here.
            files: Ray's own files, removed by `close`.
        """
        self.workers = workers
        self._gpus, self._cpus, self._owned, self._files = gpus, cpus, owned, files
        self._actors: list[Any] = []

    def __repr__(self) -> str:
        return f"<RayEngine of {self.workers} workers>"

    def map(self, open_worker: Callable[[], Callable[[TaskT], ResultT]], tasks: Iterable[TaskT]) -> Iterator[ResultT]:
        if not self._actors:
            how = {"max_restarts": -1, "max_task_retries": RETRIES}
            self._actors = [make_actor(Worker, self._cpus, self._gpus, **how) for _ in range(self.workers)]
        yield from _Run(self._actors, open_worker, iter(tasks))

    def serve(
        self, open_worker: Callable[[], Callable[[TaskT], Iterable[ResultT]]], replicas: int | None = None
    ) -> Service[TaskT, ResultT]:
        import ray

        replicas, client = check_replicas(replicas, self.workers), cast(Any, ray.util.client.ray)
        if client.is_connected():
            raise InvalidInputError(
                "Replicas stream their answers, which Ray's client cannot do, so ray:// cannot serve. Run `t2i serve` "
                "on a machine of the cluster: --engine ray"
            )
        self._end_workers()  # whose cores and GPUs the replicas need
        return Replicas(open_worker, replicas, lambda: make_actor(Replica, self._cpus, self._gpus, max_concurrency=2))

    def _end_workers(self) -> None:
        import ray

        for actor in self._actors:
            ray.kill(actor)
        self._actors = []

    def close(self) -> None:
        import ray

        with redirect_stdout(sys.stderr):  # where Ray prints that tasks are given up
            if self._owned:
                ray.shutdown()
            else:
                self._end_workers()
        self._actors = []
        if self._files is not None:
            shutil.rmtree(self._files, ignore_errors=True)


class _Run:
    """One call of `map`."""

    def __init__(self, actors: list[Any], open_worker: Callable[[], Any], tasks: Iterator[Any]) -> None:
        self._job = (secrets.token_hex(8), str(Path.cwd()), open_worker)
        self._tasks = enumerate(tasks)
        self._all_read = False
        self._waiting: dict[Any, tuple[Any, int | None]] = {  # of each reference, the actor and the task's number
            actor.open.remote(*self._job): (actor, None) for actor in actors
        }
        self._free: deque[Any] = deque()  # actors, once for each task that they may be given
        self._done: dict[int, Any] = {}  # results that wait for earlier ones
        self._sent = self._yielded = 0  # tasks, results
        self._ahead = AHEAD * len(actors)

    def __iter__(self) -> Iterator[Any]:
        while True:
            self._give()
            if self._yielded in self._done:
                result = self._done.pop(self._yielded)
                self._yielded += 1
                yield result
            elif self._all_read and self._yielded == self._sent:
                return
            else:
                self._take()

    def _give(self) -> None:
        """Give free actors tasks, unless results of much earlier ones are missing."""
        while self._free and not self._all_read and self._sent - self._yielded < self._ahead:
            number, task = next(self._tasks, (None, None))
            if number is None:
                self._all_read = True
                return
            actor = self._free.popleft()
            self._waiting[actor.do.remote(*self._job, task)] = (actor, number)
            self._sent += 1

    def _take(self) -> None:
        """Wait for results, and take all that are there."""
        import ray

        waiting = list(self._waiting)
        with redirect_stdout(sys.stderr):  # where Ray prints that it tries a task again
            ready, _ = ray.wait(waiting, num_returns=1, timeout=PATIENCE_SECONDS)
            if len(waiting) > 1 and ready:
                ready, _ = ray.wait(waiting, num_returns=len(waiting), timeout=0)
        if not ready and not self._sent:
            log.warning("no worker is ready yet: check that machines are free, and that all of them have the model")
        for reference in ready:
            actor, number = self._waiting.pop(reference)
            value, warned = _get(reference)
            for category, message in warned:
                warnings.warn(message, category, stacklevel=2)
            if number is None:
                check_versions(value)
            else:
                self._done[number] = value
            self._free.extend([actor] * (QUEUED if number is None else 1))


def _get(reference: Any) -> Any:
    """A result, or the error of the task itself."""
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error_of(error) from None
    except ray.exceptions.RayError as error:
        raise EngineError(
            f"A task ended its worker {RETRIES + 1} times, or the cluster is gone ({brief(error)}). If the workers run "
            f"out of memory, use fewer workers or, when drawing, a smaller --batch-size."
        ) from None
