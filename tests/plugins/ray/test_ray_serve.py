"""`t2i serve --engine`: the same pictures from replicas, and a replica that is killed costs no request."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from fakes.artist import write_artist
from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from fakes.serving import Served, serving
from fakes.waiting import wait_until
from t2i.engine import Engine
from t2i.service import Service

SEEDS, COUNT = range(0, 400, 10), 10
LIMITS = {"queue": 1000, "per_key": 1000, "deadline_seconds": 300}


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory, fakes_installed_for_module: None) -> dict[str, str]:
    return {"painter": str(write_artist(tmp_path_factory.mktemp("models") / "painter"))}


@pytest.fixture(scope="module")
def alone(painter: dict[str, str]) -> dict[int, Any]:
    """What a server without an engine answers, by seed."""
    with serving(painter, **LIMITS) as server:
        return {seed: server.draw(seed=seed, n=COUNT).json["data"] for seed in SEEDS}


def answered(server: Served) -> dict[int, Any]:
    """The same of another server, asked for all at once."""
    with ThreadPoolExecutor(16) as pool:
        answers = dict(zip(SEEDS, pool.map(lambda seed: server.draw(seed=seed, n=COUNT), SEEDS), strict=True))
    assert [answer.status for answer in answers.values()] == [200] * len(answers)
    return {seed: answer.json["data"] for seed, answer in answers.items()}


def replicas() -> set[int]:
    """The processes that are replicas."""
    mine = psutil.Process().children(recursive=True)
    return {process.pid for process in mine if "Replica" in process.name()}


def slowly(folder: Path) -> Callable[[], Callable[[int], Iterator[str]]]:
    """A worker that says that it has begun, and its process, and goes on when a file is there."""

    def open_worker() -> Callable[[int], Iterator[str]]:
        def do(task: int) -> Iterator[str]:
            yield f"{task} begins"
            wait_until((folder / "go").exists)
            yield str(os.getpid())

        return do

    return open_worker


def test_each_result_comes_before_the_next_one_is_made_and_a_lost_task_is_done_again(engine: Engine, tmp_path: Path):
    async def one(service: Service[int, str], task: int) -> list[str]:
        got: list[str] = []
        async for result in service.ask(task):
            got.append(result)
            if result.endswith("begins"):
                began.add(task)
                if len(got) == 1 and len(began) == 2:
                    os.kill(min(replicas()), signal.SIGKILL)
                    (tmp_path / "go").touch()
        return got

    async def main() -> list[list[str]]:
        service: Service[int, str] = engine.serve(slowly(tmp_path), 2)
        await service.start()
        try:
            return await asyncio.gather(one(service, 1), one(service, 2))
        finally:
            await service.stop()

    began: set[int] = set()
    found = asyncio.run(main())
    again = [["1 begins"] * 2, ["2 begins"] * 2]
    assert sum(got[:-1] == twice for got, twice in zip(found, again, strict=True)) == 1
    assert sorted(len(got) for got in found) == [2, 3] and found[0][-1] != "" != found[1][-1]


@pytest.fixture(scope="module")
def server(engine: Engine, painter: dict[str, str]) -> Iterator[Served]:
    with serving(painter, engine=engine, batch=8, **LIMITS) as server:
        yield server
    wait_until(lambda: not replicas(), seconds=60, pause=0.1)  # Ray ends processes after it said that actors are gone


def test_replicas_answer_as_one_process_does(server: Served, alone: dict[int, Any]):
    assert len(replicas()) == 2
    assert answered(server) == alone


@pytest.mark.slow
def test_a_killed_replica_costs_no_request_and_is_replaced(server: Served, alone: dict[int, Any]):
    first = replicas()
    with ThreadPoolExecutor(1) as pool:
        work = pool.submit(answered, server)
        os.kill(min(first), signal.SIGKILL)
        assert work.result() == alone
    wait_until(lambda: len(replicas()) >= 2, pause=0.1)
    assert len(replicas()) == 2 and replicas() != first
    for pid in replicas():  # all at once: requests wait for those that replace them
        os.kill(pid, signal.SIGKILL)
    assert server.draw(seed=0, n=COUNT).json["data"] == alone[0]


@pytest.mark.slow
def test_after_ctrl_c_replicas_draw_what_was_accepted(
    workers_environment: None, painter: dict[str, str], tmp_path: Path
):
    said, how = tmp_path / "said", ("--port", "0", "--engine", "local:1", "--wait-ms", "1000", "--device", "cpu")
    command = [sys.executable, "-m", "t2i", "serve", painter["painter"], *how]
    with said.open("w") as log:  # in a process group of its own, as the command of a terminal
        program = subprocess.Popen(command, stderr=log, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_until(lambda: "on http://" in said.read_text(), program, 300)
        found = re.search(r"http://\S+", said.read_text())
        assert found, said.read_text()
        body = json.dumps({"prompt": "a red square", "n": 5}).encode()
        asked = urllib.request.Request(f"{found[0]}/v1/images/generations", body, {"Content-Type": "application/json"})
        with ThreadPoolExecutor(4) as pool:
            accepted = [pool.submit(lambda: len(json.load(urllib.request.urlopen(asked))["data"])) for _ in range(4)]
            metrics = f"{found[0]}/metrics"
            wait_until(lambda: b"pictures_waiting 20.0" in urllib.request.urlopen(metrics).read(), program, 60)
            os.killpg(program.pid, signal.SIGINT)  # as a terminal does: also to Ray's processes
            assert [each.result() for each in accepted] == [5] * 4
        assert program.wait(120) == 130, said.read_text()
        assert "Traceback" not in said.read_text()
    finally:
        program.kill()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--replicas", "2"], "Replicas are workers of an engine. Add --engine local:2"),
        (["--engine", "lokal"], "There is no engine 'lokal'. Did you mean 'local'?"),
        (["--engine", "local:many"], "local takes a number of workers, 1 to 1024, got 'many'"),
    ],
)
def test_what_cannot_be_served_is_an_error(t2i: T2I, arguments: list[str], message: str):
    assert message in t2i("serve", "cgan.world64", *arguments).error
