"""The actor: opens what the tasks of a job need, once, and does one task at a time."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from typing import Any, cast

from t2i.errors import EngineError, UnreadPromptWarning

RETRIES = 5  # of one task whose worker was lost
SAME = ("t2i-core", "t2i-ray", "torch")

Opener = Callable[[], Callable[[Any], Any]]
Warned = list[tuple[type[Warning], str]]
"""The warnings of a call, for the process that asked."""


class Worker:
    """Runs in a process of its own; Ray starts it again if that process is lost."""

    def __init__(self) -> None:
        self._job = ""
        self._do: Callable[[Any], Any] | None = None

    def open(self, job: str, folder: str, open_worker: Opener) -> tuple[dict[str, str], Warned]:
        """Open what the tasks of a job need; returns the versions here.

        Args:
            folder: the working folder of the process that asks, so that relative paths mean the same.
        """
        _, warned = _watched(lambda: self._opened(job, folder, open_worker))
        return versions(), warned

    def do(self, job: str, folder: str, open_worker: Opener, task: Any) -> tuple[Any, Warned]:
        """The result of a task. It brings along what `open` takes, because this process may be new."""
        return _watched(lambda: self._opened(job, folder, open_worker)(task))

    def _opened(self, job: str, folder: str, open_worker: Opener) -> Callable[[Any], Any]:
        if self._do is not None and self._job == job:
            return self._do
        self._do = None  # frees what the job before had opened
        enter(folder)
        do = open_worker()
        self._do, self._job = do, job
        return do


def enter(folder: str) -> None:
    """Make it the working folder; if it is not on this machine, only absolute paths and names can be used."""
    with suppress(OSError):
        os.chdir(folder)


def make_actor(kind: type, cpus: int, gpu: bool, **how: Any) -> Any:
    """An actor of the cluster, with `cpus` cores, which its libraries use as threads, and a GPU if it needs one.

    Args:
        kind: its class.
        how: further options of Ray's.
    """
    import ray

    return ray.remote(num_cpus=cpus, num_gpus=1 if gpu else 0, **how)(kind).remote()


def versions() -> dict[str, str]:
    """The versions that affect pictures, and what is pickled."""
    return {name: version(name) for name in SAME}


def check_versions(theirs: dict[str, str]) -> None:
    """
    Raises:
        EngineError: a worker has other versions, which may draw other pictures.
    """
    different = [
        f"{name} {theirs[name]} in place of {have}" for name, have in versions().items() if theirs[name] != have
    ]
    if different:
        raise EngineError(
            f"All workers must have the versions of this process, but one has {', '.join(different)}. "
            f"Install the same versions everywhere."
        )


def error_of(error: Any) -> Exception:
    """The error that a task itself raised, from the one that Ray makes of it."""
    return error.cause if isinstance(error.cause, Exception) else cast(Exception, error)


def _watched(act: Callable[[], Any]) -> tuple[Any, Warned]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnreadPromptWarning)
        result = act()
    ours: Warned = [(each.category, str(each.message)) for each in caught if each.category is UnreadPromptWarning]
    return result, ours
