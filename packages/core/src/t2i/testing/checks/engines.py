"""The checks of every Engine."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import Any, NoReturn

from t2i.engine import Engine
from t2i.errors import InvalidInputError
from t2i.testing.checks.check import Checks

ENGINE_CHECKS: Checks[Engine] = Checks()
MOST_READ = 5_000  # tasks that an engine may read ahead of the first results


def square() -> Callable[[int], int]:
    """A worker that multiplies a number by itself."""
    return lambda number: number * number


def named() -> Callable[[int], str]:
    """A worker that has a name of its own."""
    name = f"{os.getpid()}-{secrets.token_hex(8)}"
    return lambda number: name


def strict() -> Callable[[int], int]:
    """A worker that refuses the number 3."""

    def do(number: int) -> int:
        if number == 3:
            raise InvalidInputError("A number must not be 3, got 3.")
        return number

    return do


def closed() -> NoReturn:
    """A worker that cannot open."""
    raise InvalidInputError("The worker must open, but it is closed.")


def counting() -> Callable[[int], Iterator[int]]:
    """A worker that counts to a number, which must not be 3."""

    def count_to(number: int) -> Iterator[int]:
        yield from range(number)
        strict()(number)

    return count_to


def answers(engine: Engine, open_worker: Callable[[], Callable[[int], Iterator[int]]], tasks: list[int]) -> list[Any]:
    """What a service of one replica gives for tasks that are asked at once: for each a list, or its error."""

    async def main() -> list[Any]:
        service = engine.serve(open_worker, 1)
        await service.start()

        async def one(task: int) -> list[int]:
            return [each async for each in service.ask(task)]

        try:
            return await asyncio.gather(*map(one, tasks), return_exceptions=True)
        finally:
            await service.stop()

    return asyncio.run(main())


@ENGINE_CHECKS.add(
    why="the results of one machine and of many must be the same",
    remedy="return each task's result once, in the order of the tasks, whichever worker is faster",
)
def results_have_the_order_of_the_tasks(engine: Engine) -> None:
    found = list(engine.map(square, range(50)))
    assert found == [number * number for number in range(50)], f"map must give the squares of 0 to 49, got {found}"
    assert list(engine.map(square, [])) == [], "without tasks, map must give nothing"


@ENGINE_CHECKS.add(
    why="loading a model takes longer than drawing a few pictures",
    remedy="call open_worker once in each worker, and keep the function that it returns",
)
def a_worker_opens_once(engine: Engine) -> None:
    names = list(engine.map(named, range(60)))
    assert len(set(names)) < len(names) / 2, f"open_worker was called {len(set(names))} times for 60 tasks"


@ENGINE_CHECKS.add(
    why="the command line prints the sentence of an error",
    remedy="raise the error of a task itself, with its type and message",
)
def the_error_of_a_task_is_raised(engine: Engine) -> None:
    for open_worker, message in ((strict, "must not be 3"), (closed, "it is closed")):
        try:
            found = list(engine.map(open_worker, range(9)))
        except InvalidInputError as error:
            assert message in str(error) and "Traceback" not in str(error), f"the error says {str(error)!r}"
        else:
            raise AssertionError(f"a worker raised InvalidInputError, but map gave {found}")


@ENGINE_CHECKS.add(
    why="a billion tasks must not fill the memory",
    remedy="read tasks as workers become free, a few at a time",
)
def tasks_are_read_as_they_are_done(engine: Engine) -> None:
    read = 0

    def endless() -> Iterator[int]:
        nonlocal read
        for number in count():
            read += 1
            assert read <= MOST_READ, f"map read more than {MOST_READ} tasks before it gave 20 results"
            yield number

    found = list(islice(engine.map(square, endless()), 20))
    assert found == [number * number for number in range(20)], f"map must give the squares of 0 to 19, got {found}"


@ENGINE_CHECKS.add(
    why="a server sends the steps of a picture in order, as they are drawn",
    remedy="let `ask` of a service give everything that the worker gives for its task, in order, and nothing of others",
)
def a_service_answers_each_task(engine: Engine) -> None:
    found = answers(engine, counting, [4, 0, 2])
    assert found == [[0, 1, 2, 3], [], [0, 1]], f"a service that counts to 4, 0 and 2 gave {found}"


@ENGINE_CHECKS.add(
    why="one wrong request must not end a server, and its client must get the reason",
    remedy="raise the error of a task itself from `ask`, and that of open_worker from `start`; then go on answering",
)
def a_service_raises_the_error_of_a_task(engine: Engine) -> None:
    wrong, right = answers(engine, counting, [3, 1])
    assert isinstance(wrong, InvalidInputError) and "must not be 3" in str(wrong), f"the error is {wrong!r}"
    assert right == [0], f"after an error, a service that counts to 1 gave {right}"
    try:
        answers(engine, closed, [1])
    except InvalidInputError as error:
        assert "it is closed" in str(error), f"the error says {str(error)!r}"
    else:
        raise AssertionError("a worker that cannot open did not make start raise an error")


@ENGINE_CHECKS.add(
    why="replicas that no worker can run would never start",
    remedy="check the number of replicas with t2i.engine.check_replicas",
)
def a_service_needs_workers_for_its_replicas(engine: Engine) -> None:
    for replicas in (0, 1_000_000):
        try:
            engine.serve(counting, replicas)
        except InvalidInputError:
            continue
        raise AssertionError(f"serve took {replicas} replicas")
