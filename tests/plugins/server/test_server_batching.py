"""The queue: batches, bounds, deadlines, cancellation, and failures that stay with one request."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import t2i_server.models
from fakes.serving import GENERATIONS, Gate, Served, gated, logged, serving
from fakes.waiting import wait_until

Serve = Callable[..., tuple[Served, Gate]]
until = partial(wait_until, seconds=10)


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fakes_installed: None) -> Iterator[Serve]:
    """Start a server whose only model, "painter", draws when its gate is open."""
    with ExitStack() as stack:
        gates: list[Gate] = []

        def start(**settings: object) -> tuple[Served, Gate]:
            artist, gate = gated(tmp_path / "painter")
            monkeypatch.setattr(t2i_server.models, "pipeline", lambda *names, **given: artist)
            gates.append(gate)
            running: AbstractContextManager[Served] = serving({"painter": str(tmp_path / "painter")}, **settings)
            return stack.enter_context(running), gate

        yield start
        for gate in gates:
            gate.open.set()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(32) as pool:
        yield pool


def waiting(server: Served) -> int:
    return server.state.batcher._open.total()


def test_only_requests_of_equal_options_are_drawn_together_and_the_oldest_first(
    serve: Serve, pool: ThreadPoolExecutor
) -> None:
    server, gate = serve(batch=4)
    first = pool.submit(server.draw, seed=0)
    until(gate.started.is_set)
    others = []
    for number, wildness in enumerate([1.0, 2.0, 1.0, 2.0, 1.0, 1.0, 1.0], start=1):
        others.append(pool.submit(server.draw, seed=number, wildness=wildness))
        until(lambda: waiting(server) == len(others) + 1)
    gate.open.set()
    assert all(each.result().status == 200 for each in [first, *others])
    assert [[seed for _, seed in batch] for batch in gate.batches] == [[0], [1, 3, 5, 6], [2, 4], [7]]


def test_a_batch_fills_the_rows_that_a_cpu_draws_at_once(serve: Serve, pool: ThreadPoolExecutor) -> None:
    server, gate = serve(batch=7)
    drawn = [pool.submit(server.draw, seed=0)]
    until(gate.started.is_set)
    for number in range(1, 14):
        drawn.append(pool.submit(server.draw, seed=number))
        until(lambda: waiting(server) == len(drawn))
    gate.open.set()
    assert all(each.result().status == 200 for each in drawn)
    assert [[seed for _, seed in batch] for batch in gate.batches] == [
        [0],
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        [9, 10, 11, 12],
        [13],
    ]


def test_a_full_queue_refuses_with_the_time_to_wait(serve: Serve, pool: ThreadPoolExecutor) -> None:
    server, gate = serve(queue=3, wait_ms=0)
    accepted = [pool.submit(server.draw, n=2, seed=1), pool.submit(server.draw, seed=9)]
    until(lambda: waiting(server) == 3)
    refused = server.draw()
    assert refused.status == 429 and refused.error["code"] == "queue_full"
    assert refused.error["type"] == "rate_limit_error" and 1 <= int(refused.headers["retry-after"]) <= 60
    gate.open.set()
    assert [each.result().status for each in accepted] == [200, 200]
    assert server.draw().status == 200
    assert 't2i_refused_total{reason="queue_full"} 1.0' in server.get("/metrics").body.decode()


def test_a_key_has_its_own_bound_and_rate(serve: Serve, pool: ThreadPoolExecutor) -> None:
    keys = {"ann": "a" * 20, "bob": "b" * 20}
    ann, bob = ({"Authorization": f"Bearer {key}"} for key in keys.values())
    server, gate = serve(keys=keys, per_key=2, per_minute=4)
    accepted = pool.submit(server.draw, ann, n=2)
    until(lambda: waiting(server) == 2)
    assert server.draw(ann).error["code"] == "key_limit"
    others = pool.submit(server.draw, bob)
    until(lambda: waiting(server) == 3)
    gate.open.set()
    assert (accepted.result().status, others.result().status) == (200, 200)
    assert server.draw(ann).status == 200  # the fourth picture of this minute, with the one that was refused
    refused = server.draw(ann)
    assert refused.status == 429 and refused.error["code"] == "rate_limit_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 16
    metrics = server.get("/metrics", ann).body.decode()
    for reason in ("key_limit", "rate_limit_exceeded"):
        assert f't2i_refused_total{{reason="{reason}"}} 1.0' in metrics


def test_a_request_past_its_deadline_is_answered_and_its_other_pictures_are_not_drawn(serve: Serve) -> None:
    server, gate = serve(deadline_seconds=0.3, batch=1)
    began = time.monotonic()
    answer = server.draw(n=3, seed=5)
    assert answer.status == 504 and answer.error["code"] == "deadline"
    assert 0.3 <= time.monotonic() - began < 5
    gate.open.set()
    assert server.draw(seed=50).status == 200
    assert [seed for batch in gate.batches for _, seed in batch] == [5, 50]


@pytest.mark.parametrize("stream", [False, True])
def test_pictures_of_a_client_that_leaves_are_not_drawn(serve: Serve, stream: bool) -> None:
    server, gate = serve(batch=1)
    connection = http.client.HTTPConnection(urlsplit(server.address).netloc)
    asked = json.dumps({"prompt": "a red square", "n": 5, "seed": 5, "stream": stream})
    connection.request("POST", GENERATIONS, asked, {"Content-Type": "application/json"})
    until(gate.started.is_set)
    assert connection.sock is not None
    connection.sock.close()
    until(lambda: waiting(server) == 0)
    gate.open.set()
    assert server.draw(seed=50).status == 200
    assert [seed for batch in gate.batches for _, seed in batch] == [5, 50]


def test_a_failure_stays_with_its_request_and_shows_no_secret(
    serve: Serve, pool: ThreadPoolExecutor, capsys: pytest.CaptureFixture[str]
) -> None:
    server, gate = serve(wait_ms=300)
    gate.failing.add("a cursed square")
    gate.open.set()
    barrier = threading.Barrier(3)

    def draw(prompt: str) -> object:
        barrier.wait()
        return server.draw(prompt=prompt)

    good, cursed, fine = pool.map(draw, ["a red square", "a cursed square", "a blue square"])
    assert (good.status, cursed.status, fine.status) == (200, 500, 200)  # type: ignore[attr-defined]
    assert max(map(len, gate.batches)) == 3, "they were not drawn together"
    assert b"operator" not in cursed.body and cursed.error["type"] == "server_error"  # type: ignore[attr-defined]
    lines = logged(capsys, 3)
    (failed,) = [line for line in lines if line["status"] == 500]
    assert "a secret of /home/operator" in failed["error"] and failed["id"] in cursed.error["message"]  # type: ignore[attr-defined]
    with_events = server.draw(prompt="a cursed square", stream=True)
    assert with_events.status == 200 and b"event: error" in with_events.body and b"operator" not in with_events.body


def test_what_was_accepted_is_answered_when_the_server_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: ThreadPoolExecutor, fakes_installed: None
) -> None:
    artist, gate = gated(tmp_path / "painter")
    monkeypatch.setattr(t2i_server.models, "pipeline", lambda *names, **given: artist)
    with serving({"painter": str(tmp_path / "painter")}, batch=4) as server:
        accepted = [pool.submit(server.draw, seed=seed) for seed in range(16)]
        until(lambda: waiting(server) == 16)
        threading.Timer(0.5, gate.open.set).start()
    assert [each.result().status for each in accepted] == [200] * 16
    with pytest.raises(ConnectionRefusedError):
        server.get("/healthz")
