"""The engine passes the suite of every engine, and is reachable by nobody else."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from t2i.create import create_engine
from t2i.engine import Engine
from t2i.errors import InvalidInputError, UnknownNameError
from t2i.testing.engines import EngineSuite
from t2i_ray.engine import RayEngine


class TestLocal(EngineSuite):
    @pytest.fixture
    def engine(self, engine: Engine) -> Engine:
        return engine


def test_workers_go_on_after_they_waited_for_a_slow_task(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    """With few tasks allowed ahead, all are done while the first one still runs, and then more are given out."""

    def slow_first() -> Callable[[int], int]:
        def do(number: int) -> int:
            time.sleep(0.5 if number == 0 else 0)
            return number

        return do

    monkeypatch.setattr("t2i_ray.engine.AHEAD", 2)
    assert list(engine.map(slow_first, range(40))) == list(range(40))


def ending(folder: Path) -> Callable[[], Callable[[int], int]]:
    """A worker whose process ends itself in task 3, the first time; and always in task 100."""

    def open_worker() -> Callable[[int], int]:
        def do(number: int) -> int:
            with (folder / "tasks").open("a") as file:
                file.write(f"{number}\n")
            first = not (folder / "ended").exists()
            if number == 100 or (number == 3 and first):
                (folder / "ended").touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return number

        return do

    return open_worker


def test_the_task_of_a_lost_worker_is_done_again(engine: Engine, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    assert list(engine.map(ending(tmp_path), range(8))) == list(range(8))
    tasks = (tmp_path / "tasks").read_text().split()
    assert tasks.count("3") == 2
    assert all(tasks.count(str(number)) == 1 for number in (0, 1)), "finished tasks are not done again"
    assert capfd.readouterr().out == ""  # what Ray says about it goes to stderr


def test_only_loopback_listens_and_files_are_private(engine: Engine):
    assert isinstance(engine, RayEngine)
    this = psutil.Process()
    listening = [
        connection.laddr.ip
        for process in (this, *this.children(recursive=True))
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert listening and {ip.removeprefix("::ffff:") for ip in listening} == {"127.0.0.1"}
    assert engine._files is not None and stat.S_IMODE(engine._files.stat().st_mode) == 0o700


@pytest.mark.slow  # Ray tries for 20 s
def test_nobody_without_the_token_can_use_it(engine: Engine):
    import ray

    address = ray.get_runtime_context().gcs_address
    host, port = address.split(":")
    socket.create_connection((host, int(port)), 5).close()  # it does listen
    program = f"import ray; ray.init(address={address!r}, log_to_driver=False); print('inside')"
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    foreign |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}
    ended = subprocess.run([sys.executable, "-c", program], env=foreign, capture_output=True, text=True, timeout=120)
    assert ended.returncode != 0 and "inside" not in ended.stdout
    assert "InvalidAuthToken" in ended.stderr or "AuthenticationError" in ended.stderr, ended.stderr


def test_a_process_that_uses_ray_already_keeps_its_connection(engine: Engine):
    import ray

    with create_engine("local:1") as other:
        assert isinstance(other, RayEngine) and other.workers == 1
    assert ray.is_initialized()


@pytest.mark.parametrize("reference", ["0", "-1", "two", "1.5", "1025", " 2"])
def test_a_number_of_workers_must_be_one(reference: str):
    with pytest.raises(InvalidInputError, match="a number of workers, 1 to 1024"):
        create_engine(f"local:{reference}")


def test_an_unknown_engine_is_an_error():
    with pytest.raises(UnknownNameError, match=r"There is no engine 'rays'. Did you mean 'ray'"):
        create_engine("rays:2")
