"""Servers with the OpenAI chat API: one that answers, and some that stall, send invalid data, or never stop."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from typing import Any

import pytest

from t2i.create import create_language_model
from t2i.errors import InvalidInputError, LanguageModelError
from t2i.language import LanguageModel, WritingOptions
from t2i.testing.language_models import LanguageModelSuite
from t2i_lm.server import ServedModel

pytestmark = pytest.mark.skipif(find_spec("openai") is None, reason="needs openai")
Send = Callable[[bytes], None]
Behaviour = Callable[[Send, dict[str, Any]], None]


def piece(text: object, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"


def honest(send: Send, request: dict[str, Any]) -> None:
    """Letters that depend on the question and, unless the temperature is 0, on the seed."""
    salt = request["seed"] if request["temperature"] else 0
    length = len(request["messages"][-1]["content"])
    for number in range(min(request["max_tokens"], 12)):
        send(piece(chr(97 + (number * (salt + 1) + length) % 26)))
    send(piece(None, "stop") + b"data: [DONE]\n\n")


def stalls(send: Send, request: dict[str, Any]) -> None:
    send(piece("a red "))
    time.sleep(5)


def drips(send: Send, request: dict[str, Any]) -> None:
    for _ in range(100):
        send(piece("a"))
        time.sleep(0.05)


def never_stops(send: Send, request: dict[str, Any]) -> None:
    while True:
        send(piece("heart " * 100))


FAULTS: dict[str, tuple[Behaviour, str]] = {
    "stalls": (stalls, "imed out|Timeout"),
    "drips": (drips, "takes longer than 1 s"),
    "never stops": (never_stops, "did not stop"),
    "closes early": (lambda send, request: send(piece("a red ")), "closed the connection before the end"),
    "says nothing": (lambda send, request: None, "closed the connection before the end"),
    "garbage": (lambda send, request: send(b"data: \xff\xfe{not json\n\n"), "no usable answer"),
    "another form": (
        lambda send, request: send(b'data: {"choices": [{"delta": {"content": 7}}]}\n\n'),
        "a piece of its",
    ),
    "a list": (lambda send, request: send(b"data: [1, 2]\n\n"), "no usable answer"),
    "an error": (
        lambda send, request: send(b'data: {"error": {"message": "no \\u001b such"}}\n\n'),
        "no usable answer",
    ),
}


@contextmanager
def serving(behave: Behaviour, status: int = 200) -> Iterator[tuple[str, list[Any]]]:
    """A server on loopback; yields its address and the requests it received."""
    sent: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            sent.append((self.path, request, self.headers.get("Authorization")))
            self.send_response(status)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            with suppress(OSError):
                behave(self.send_piece, request)

        def send_piece(self, data: bytes) -> None:
            self.wfile.write(data)
            self.wfile.flush()

        def log_message(self, *given: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", sent
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def honest_server() -> Iterator[tuple[str, list[Any]]]:
    with serving(honest) as found:
        yield found


class TestServed(LanguageModelSuite):
    @pytest.fixture
    def model(self, honest_server: tuple[str, list[Any]]) -> LanguageModel:
        return create_language_model(f"openai:{honest_server[0]}#tiny")


def test_a_request_has_the_apis_form(honest_server: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch):
    address, sent = honest_server
    monkeypatch.setenv("OPENAI_API_KEY", "for-openai-alone")
    monkeypatch.setenv("T2I_LM_KEY", "a-key")
    sent.clear()
    options = WritingOptions(max_tokens=5, stop=("\n",), examples=(("q", "a"),))
    "".join(ServedModel(f"{address}#tiny").write("Hi", 7, options))
    monkeypatch.delenv("T2I_LM_KEY")
    "".join(ServedModel(f"{address}#tiny").write("Hi", 7))
    (path, request, key), (_, _, other) = sent
    assert path == "/v1/chat/completions" and key == "Bearer a-key" and "openai-alone" not in other
    assert [turn["role"] for turn in request["messages"]] == ["user", "assistant", "user"]
    assert (request["seed"], request["stop"], request["max_tokens"], request["model"]) == (7, ["\n"], 5, "tiny")


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_server_is_an_error_of_one_sentence(name: str):
    behave, said = FAULTS[name]
    with serving(behave) as (address, _):
        model = ServedModel(f"{address}#tiny", silence_seconds=0.3, answer_seconds=1)
        begun = time.monotonic()
        with pytest.raises(LanguageModelError, match=said) as error:
            model.write_all(["Hi"], [0])
        assert time.monotonic() - begun < 30 and "\x1b" not in str(error.value) and "'tiny' at http" in str(error.value)


def test_a_refused_key_is_not_repeated(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("T2I_LM_KEY", "secret-key")
    with serving(lambda send, request: send(b'{"error": {"message": "bad key secret-key"}}'), 401) as (address, _):
        with pytest.raises(LanguageModelError) as error:
            "".join(ServedModel(f"{address}#tiny").write("Hi", 0))
        assert "secret-key" not in str(error.value) and "401" in str(error.value)


def test_a_missing_server_is_an_error():
    with pytest.raises(LanguageModelError, match="Check that the server runs"):
        "".join(ServedModel("http://127.0.0.1:9/v1#tiny").write("Hi", 0))


@pytest.mark.parametrize("reference", ["http://127.0.0.1/v1", "ftp://x/v1#m", "#", "127.0.0.1#m", "http://k:s@x/v1#m"])
def test_a_reference_names_an_address_and_a_model(reference: str):
    with pytest.raises(InvalidInputError, match=r"openai:http://127\.0\.0\.1:8080/v1#model"):
        create_language_model(f"openai:{reference}")
