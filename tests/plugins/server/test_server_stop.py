"""`t2i serve` as a program: its start, its stop, and kill -9."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fakes.artist import write_artist
from fakes.forked import ForkedCommand
from fakes.waiting import wait_until
from t2i.drawing.provenance import read_provenance

pytestmark = pytest.mark.usefixtures("fakes_installed")


@pytest.fixture
def painter(tmp_path: Path) -> Path:
    return write_artist(tmp_path / "painter")


def address(program: ForkedCommand) -> str:
    wait_until(lambda: "on http://" in program.err, program)
    found = re.search(r"http://\S+", program.err)
    assert found, program.err
    return found[0]


def draw(at: str, count: int, seed: int = 0) -> int:
    body = json.dumps({"prompt": "a red square", "n": count, "seed": seed}).encode()
    request = urllib.request.Request(f"{at}/v1/images/generations", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return len(json.load(answer)["data"])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_stops_the_server_after_what_it_accepted(painter: Path, number: int, code: int) -> None:
    # a batch waits for a second, in which all requests arrive and then the signal
    with (
        ForkedCommand("serve", painter, "--port", 0, "--batch", 1000, "--wait-ms", 1000) as program,
        ThreadPoolExecutor(8) as pool,
    ):
        at = address(program)
        accepted = [pool.submit(draw, at, 4, seed) for seed in range(8)]
        wait_until(lambda: waiting(at) == 32, program)
        program.send_signal(number)
        if number == signal.SIGINT:
            time.sleep(0.1)
            program.send_signal(number)  # as from a runner such as `uv run`, which sends the terminal's signal again
        assert [each.result() for each in accepted] == [4] * 8
        assert program.wait(20) == code, program.err
        lines = [json.loads(line) for line in program.err.splitlines() if line.startswith("{")]
        assert len([line for line in lines if line.get("pictures") == 4 and line["status"] == 200]) == 8
        assert "red square" not in program.err and "Traceback" not in program.err


def waiting(at: str) -> float:
    with urllib.request.urlopen(f"{at}/metrics", timeout=60) as answer:
        (line,) = [line for line in answer.read().decode().splitlines() if line.startswith("t2i_pictures_waiting ")]
    return float(line.split()[1])


def test_kill_9_leaves_whole_files_only(painter: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with ForkedCommand("serve", f"mine={painter}", "--port", 0, "--keep", kept) as program:
        at = address(program)
        stop = threading.Event()

        def keep_asking(first: int) -> None:
            seed = first
            while not stop.is_set():
                try:
                    draw(at, 10, seed)
                except OSError:
                    return
                seed += 10

        with ThreadPoolExecutor(4) as pool:
            for first in range(4):
                pool.submit(keep_asking, first * 100_000)
            wait_until(lambda: kept.is_dir() and sum(1 for _ in kept.iterdir()) >= 40, program)
            program.send_signal(signal.SIGKILL)
            stop.set()
        assert program.wait() == -9
    files = [path for path in kept.iterdir() if not path.name.startswith(".")]
    assert len(files) >= 30
    for path in files:
        assert read_provenance(path).prompt == "a red square"


def test_a_model_that_cannot_be_loaded_is_an_error_at_the_start(tmp_path: Path) -> None:
    with ForkedCommand("serve", tmp_path / "none", "--port", 0) as program:
        assert program.wait(60) == 2
        assert "Traceback" not in program.err and program.err.splitlines()[-1].startswith("error: ")


def test_a_client_that_does_not_read_its_answer_does_not_keep_the_server(painter: Path) -> None:
    with ForkedCommand("serve", painter, "--port", 0, "--deadline", 1) as program:
        host, port = address(program).removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            ask = f"GET /static/page.js HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
            connection.sendall(ask * 2000)
            time.sleep(0.3)
            program.send_signal(signal.SIGTERM)
            began = time.monotonic()
            assert program.wait(60) == 0, program.err
            assert time.monotonic() - began < 45
