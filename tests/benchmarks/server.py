"""The server against a plain FastAPI handler that draws one by one: pictures a second, latency, memory, a stop.

Both run the default model in a process of their own, on one thread of torch. The figure of memory is of a server
with a tiny model, which is sent T2I_BENCH_REQUESTS (20,000) requests.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import torch
from measure import line

import t2i
from fakes.artist import write_artist
from fakes.ports import free_port
from fakes.site import python_path
from t2i.drawing.artist import Request
from t2i.registry.describe import DEFAULT_MODEL
from t2i_server.settings import ServerSettings

CLIENTS, SECONDS, ROUNDS = 32, 8.0, 3
REQUESTS = int(os.environ.get("T2I_BENCH_REQUESTS", "20_000"))
PLAIN = Path(__file__).with_name("plain_server.py")
IDLE = 1_000  # connections


class Program:
    """A server in a process of its own.

    Attributes:
        port: on loopback.
    """

    def __init__(self, command: list[str], port: int, log: Path, **environment: str) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "T2I_INDEX": "off", **environment}
        self.port, self._log = port, log
        self._process = subprocess.Popen(command, stderr=log.open("w"), stdout=subprocess.DEVNULL, env=environment)
        self.stats = psutil.Process(self._process.pid)

    def wait_until_ready(self) -> None:
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                if self._process.poll() is not None:
                    raise RuntimeError(self._log.read_text()) from None
                time.sleep(0.1)

    def processor_seconds(self) -> float:
        times = self.stats.cpu_times()
        return times.user + times.system

    def drawn(self) -> tuple[float, float]:
        """Batches and their seconds so far."""
        _, body = asyncio.run(ask(self.port, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        text = body.decode()
        return tuple(float(re.search(rf"t2i_batch_seconds_{end}{{.*}} (\S+)", text)[1]) for end in ("count", "sum"))  # type: ignore[index, return-value]

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(120)

    def answered(self) -> int:
        """Requests for pictures that its log says were answered by 200."""
        logged = [json.loads(each) for each in self._log.read_text().splitlines() if each.startswith("{")]
        return sum(each["status"] == 200 and each.get("pictures", 0) > 0 for each in logged)


def run() -> None:
    """All figures, or those named in T2I_BENCH_SERVER, such as "memory,idle"."""
    chosen = os.environ.get("T2I_BENCH_SERVER", "throughput,overhead,latency,idle,memory,stop").split(",")
    with tempfile.TemporaryDirectory() as folder:
        if "memory" in chosen:
            memory(Path(folder))
        if chosen == ["memory"]:
            return
        with servers(Path(folder)) as (ours, plain):
            if "throughput" in chosen:
                throughput(ours, plain)
            for figure in (overhead, latency, idle, stop):
                if figure.__name__ in chosen:
                    figure(ours)


@contextmanager
def servers(folder: Path) -> Iterator[tuple[Program, Program]]:
    ports = [free_port(), free_port()]
    serve = [sys.executable, "-m", "t2i", "serve", DEFAULT_MODEL, "--port", str(ports[0])]
    ours = Program(serve, ports[0], folder / "ours")
    plain = Program([sys.executable, str(PLAIN), DEFAULT_MODEL, str(ports[1])], ports[1], folder / "plain")
    try:
        ours.wait_until_ready()
        plain.wait_until_ready()
        yield ours, plain
    finally:
        for program in (ours, plain):
            program.stop()


def throughput(ours: Program, plain: Program) -> None:
    rates: dict[Program, list[float]] = {ours: [], plain: []}
    costs: dict[Program, list[float]] = {ours: [], plain: []}
    for program in (ours, plain):
        asyncio.run(load(program.port, 1.0))  # warm
    for _ in range(ROUNDS):
        for program in (ours, plain):
            used, began = program.processor_seconds(), time.perf_counter()
            done = len(asyncio.run(load(program.port, SECONDS)))
            rates[program].append(done / (time.perf_counter() - began))
            costs[program].append((program.processor_seconds() - used) / done)
    ratio = statistics.median(a / b for a, b in zip(rates[ours], rates[plain], strict=True))
    cost = statistics.median(b / a for a, b in zip(costs[ours], costs[plain], strict=True))
    line(f"pictures a second, {CLIENTS} clients", f"{statistics.median(rates[ours]):.0f} /s")
    line("  against the plain handler", f"{ratio:.2f}x", "at least 4x")
    line("  by the processor time of the two servers", f"{cost:.2f}x")


def overhead(ours: Program) -> None:
    pipe = t2i.pipeline(DEFAULT_MODEL, device="cpu")
    torch.set_num_threads(1)
    drawing = cost(lambda: list(pipe.draw([Request("a red heart", 7)])))
    count, seconds = ours.drawn()
    used = ours.processor_seconds()
    took, alone = [], []
    for _ in range(4):  # in turn, so that other work on the machine slows both
        took += asyncio.run(load(ours.port, SECONDS / 4, clients=1))
        alone += clock(lambda: list(pipe.draw([Request("a red heart", 7)])), SECONDS / 4)
    used = ours.processor_seconds() - used
    count, seconds = (after - before for after, before in zip(ours.drawn(), (count, seconds), strict=True))
    mean = statistics.mean(took) - seconds / count
    line("one request alone, beyond drawing: mean", f"{mean * 1000:.1f} ms", "at most 10 ms")
    fastest = quantile(took, 0.1) - quantile(alone, 0.1)
    line("  fastest tenth, against drawing without a server", f"{fastest * 1000:.1f} ms", "at most 10 ms")
    spent = (used / count - drawing) * 1000 + ServerSettings().wait_ms
    line("  in processor time, with waiting for others", f"{spent:.1f} ms")


def clock(act: Callable[[], object], seconds: float) -> list[float]:
    """Seconds of each call, for so many seconds."""
    took, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        act()
        took.append(time.perf_counter() - began)
    return took


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(share * len(values))]


def cost(act: Callable[[], object], times: int = 20) -> float:
    """Processor seconds of one call."""
    act()
    began = time.process_time()
    for _ in range(times):
        act()
    return (time.process_time() - began) / times


def latency(ours: Program) -> None:
    count, seconds = ours.drawn()
    most = len(asyncio.run(load(ours.port, SECONDS))) / SECONDS
    count, seconds = (after - before for after, before in zip(ours.drawn(), (count, seconds), strict=True))
    batch = seconds / count
    took = sorted(asyncio.run(arrivals(ours.port, 0.8 * most, 2 * SECONDS)))
    p99 = took[int(0.99 * len(took))]
    line(f"p99 at 80% load ({0.8 * most:.0f} /s), in times of a batch at full load", f"{p99 / batch:.2f}x", "under 3x")


def idle(ours: Program) -> None:
    async def crowd() -> float:
        held = [await asyncio.open_connection("127.0.0.1", ours.port) for _ in range(IDLE)]
        began = time.perf_counter()
        while (await ask(ours.port, request(1)))[0] != 200:
            await asyncio.sleep(0.2)
        took = time.perf_counter() - began
        for _, writer in held:
            writer.close()
        return took

    line(f"a picture while {IDLE:,} connections idle: after", f"{asyncio.run(crowd()):.1f} s", "under 15 s")


def memory(folder: Path) -> None:
    """Of a server with a model of 8 pixels, whose requests cost what a server adds to drawing."""
    model, site, port = write_artist(folder / "painter"), folder / "site", free_port()
    site.mkdir()
    command = [sys.executable, "-m", "t2i", "serve", str(model), "--port", str(port)]
    tiny = Program(command, port, folder / "tiny", PYTHONPATH=python_path(site))
    try:
        tiny.wait_until_ready()
        answered = len(asyncio.run(load(port, 3600, most=REQUESTS // 10)))
        before, used = tiny.stats.memory_info().rss, tiny.processor_seconds()
        answered += len(asyncio.run(load(port, 3600, most=REQUESTS - REQUESTS // 10)))
        grown = (tiny.stats.memory_info().rss - before) / 2**20
        used = (tiny.processor_seconds() - used) / (REQUESTS - REQUESTS // 10)
    finally:
        tiny.stop()
    line(f"memory after {answered:,} requests, beyond that after a tenth", f"{grown:+.1f} MiB", "flat")
    line("  processor time of one of them", f"{used * 1000:.1f} ms")


def stop(ours: Program) -> None:
    """SIGTERM under load: every request that the server's log has was answered, and no other is in it."""
    before = ours.answered()

    async def under_load() -> int:
        clients = asyncio.create_task(load(ours.port, 5.0))
        await asyncio.sleep(2)
        ours._process.send_signal(signal.SIGTERM)
        return len(await clients)

    got = asyncio.run(under_load())
    ours._process.wait(120)
    line("a stop under load: accepted, and not answered", str(ours.answered() - before - got), "0")


async def load(port: int, seconds: float, clients: int = CLIENTS, most: int = 10**9) -> list[float]:
    """Seconds of each answered request, of clients that ask again as soon as they are answered."""
    took: list[float] = []
    end, left = time.perf_counter() + seconds, most

    async def client() -> None:
        nonlocal left
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            while time.perf_counter() < end and left > 0:
                left -= 1
                began = time.perf_counter()
                writer.write(request(random.randrange(2**31)))
                status, _ = await answer(reader)
                if status == 200:
                    took.append(time.perf_counter() - began)
            writer.close()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the server stops

    await asyncio.gather(*(client() for _ in range(clients)))
    return took


async def arrivals(port: int, rate: float, seconds: float) -> list[float]:
    """Seconds of each request, which come at random times, however many wait."""
    took: list[float] = []
    free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def one() -> None:
        began = time.perf_counter()
        while True:
            reader, writer = free.pop() if free else await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(request(random.randrange(2**31)))
                await answer(reader)
                break
            except (ConnectionError, asyncio.IncompleteReadError):
                continue  # this connection was idle for too long
        took.append(time.perf_counter() - began)
        free.append((reader, writer))

    waiting = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        waiting.append(asyncio.create_task(one()))
        await asyncio.sleep(random.expovariate(rate))
    await asyncio.gather(*waiting)
    return took


def request(seed: int) -> bytes:
    body = json.dumps({"prompt": "a red heart", "seed": seed}).encode()
    head = "POST /v1/images/generations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def ask(port: int, message: bytes) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(message)
    try:
        return await answer(reader)
    except (ConnectionError, asyncio.IncompleteReadError):
        return 0, b""
    finally:
        writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = re.search(r"content-length: (\d+)", head)
    return int(head.split()[1]), await reader.readexactly(int(length[1]) if length else 0)
