"""Who may ask, how much, and what an answer gives away."""

from __future__ import annotations

import io
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image

import t2i_server.guard
import t2i_server.run
from fakes.artist import write_artist
from fakes.command_line import T2I
from fakes.command_line import t2i as t2i
from fakes.serving import GENERATIONS, Served, logged, serving
from t2i.errors import InvalidInputError
from t2i_server.keys import read_keys
from t2i_server.settings import BODY_BYTES, PICTURE_BYTES

KEY = "an-example-key-of-32-characters."
ORIGIN = "https://shop.example"


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory, fakes_installed_for_module: None) -> Path:
    return write_artist(tmp_path_factory.mktemp("operator") / "painter")


@pytest.fixture(scope="module")
def guarded(painter: Path) -> Iterator[Served]:
    """With a key and one allowed website."""
    with serving({"painter": str(painter)}, keys={"shop": KEY}, allow_origins=(ORIGIN,)) as server:
        yield server


@pytest.fixture(scope="module")
def local(painter: Path) -> Iterator[Served]:
    """Without keys, for this machine only."""
    with serving({"painter": str(painter)}, hosts=("localhost", "127.0.0.1")) as server:
        yield server


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/painter", "/metrics", "/search", "/openapi.json", "/v1/x"])
@pytest.mark.parametrize("headers", [{}, bearer(KEY[:-1]), bearer(KEY + "x"), bearer(""), {"Authorization": KEY}])
def test_without_its_key_nothing_is_shown(guarded: Served, path: str, headers: dict[str, str]) -> None:
    answer = guarded.get(path, headers)
    assert answer.status == 401 and answer.error["code"] == "invalid_api_key"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert b"painter" not in answer.body


def test_with_its_key_a_client_draws_and_is_logged_by_name(guarded: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded.draw(bearer(KEY)).status == 200
    assert guarded.draw({"authorization": f"bearer  {KEY}"}).status == 200
    lines = logged(capsys, 2, without=401)
    assert [(line["key"], line["status"], line["pictures"]) for line in lines] == [("shop", 200, 1)] * 2
    assert KEY not in str(lines) and "red square" not in str(lines)


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/static/page.js"])
def test_the_page_and_the_health_need_no_key_and_name_no_model(guarded: Served, path: str) -> None:
    answer = guarded.get(path)
    assert answer.status == 200 and b"painter" not in answer.body


@pytest.mark.parametrize("path", ["/", "/v1/models", "/nothing", GENERATIONS])
def test_every_answer_has_security_headers(guarded: Served, path: str) -> None:
    headers = guarded.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer" and headers["cross-origin-resource-policy"] == "same-origin"
    assert "server" not in headers


def test_only_named_websites_may_use_the_api_in_a_browser(guarded: Served, local: Served) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    allowed = guarded.ask("OPTIONS", GENERATIONS, None, {"Origin": ORIGIN, **asked})
    assert allowed.status == 200 and allowed.headers["access-control-allow-origin"] == ORIGIN
    for server, origin in ((guarded, "https://evil.example"), (local, ORIGIN)):
        refused = server.ask("OPTIONS", GENERATIONS, None, {"Origin": origin, **asked})
        assert "access-control-allow-origin" not in refused.headers
        assert "access-control-allow-origin" not in server.draw({"Origin": origin, **bearer(KEY)}).headers


def test_a_form_of_another_website_cannot_draw(local: Served) -> None:
    body = json.dumps({"prompt": "a red square"}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        assert local.ask("POST", GENERATIONS, body, {"Content-Type": kind} if kind else {}).status == 415


def test_a_name_that_points_to_this_machine_is_refused(local: Served) -> None:
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", ""):
        answer = local.get("/v1/models", {"Host": host})
        assert answer.status == 403 and answer.error["code"] == "wrong_host"
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1:80"):
        assert local.get("/v1/models", {"Host": host}).status == 200


@pytest.mark.parametrize(("path", "limit"), [(GENERATIONS, BODY_BYTES), ("/v1/provenance", PICTURE_BYTES)])
def test_a_large_body_is_refused_before_it_is_sent_or_while_it_is(local: Served, path: str, limit: int) -> None:
    start = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    declared = exchange(local, f"{start}Content-Length: {limit + 1}\r\n\r\n".encode())
    assert declared.startswith(b"HTTP/1.1 413 ") and b'"body_too_large"' in declared
    head = f"{start}Transfer-Encoding: chunked\r\n\r\n".encode()
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    chunked = exchange(local, head, *[chunk] * (limit // 0x10000 + 1))
    assert chunked.startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("length", ["-1", "1e3", "9" * 400, "\u0661"])
def test_a_strange_length_is_refused(local: Served, length: str) -> None:
    head = f"POST {GENERATIONS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {length}\r\n\r\n"
    assert exchange(local, head.encode())[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 413 ")


def test_a_slow_body_is_refused(guarded: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(t2i_server.guard, "BODY_SECONDS", 0.5)
    head = f"POST {GENERATIONS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 50\r\n\r\n{"
    began = time.monotonic()
    assert exchange(guarded, head.encode()).startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow:"])
def test_connections_without_a_whole_request_are_closed(
    guarded: Served, start: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(t2i_server.run, "IDLE_SECONDS", 0.4)
    began = time.monotonic()
    assert exchange(guarded, start) == b""
    assert time.monotonic() - began < 6


@pytest.mark.parametrize(
    "noise", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET\r\n\r\n", b"\0" * 70_000]
)
def test_what_is_not_http_is_refused(local: Served, noise: bytes) -> None:
    assert exchange(local, noise).startswith(b"HTTP/1.1 400 ")
    assert local.get("/healthz").status == 200


@pytest.mark.parametrize(
    "path", ["/static/../plugin.py", "/static/%2e%2e%2fplugin.py", "/static//etc/passwd", "/%00", "/static/x\u00ff"]
)
def test_no_file_but_the_pages_own_is_read(local: Served, path: str) -> None:
    answer = exchange(local, f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("latin-1"))
    assert answer.split(b" ")[1] in (b"404", b"400")
    assert b"T2I_API" not in answer and b"root:" not in answer


def test_serving_others_needs_a_key(t2i: T2I, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("T2I_SERVER_KEY", raising=False)
    assert "needs a key" in t2i("serve", "--host", "0.0.0.0", "--port", 0).error
    monkeypatch.setenv("T2I_SERVER_KEY", "short")
    assert "at least 16 characters" in t2i("serve", "--host", "0.0.0.0", "--port", 0).error
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.delenv("T2I_SERVER_KEY")
        assert "cannot be served" in t2i("serve", "--port", taken.getsockname()[1]).error
    assert "no address" in t2i("serve", "--host", "nowhere.invalid").error
    assert "Did you mean" in t2i("serve", "cgna").error
    assert "--keys" in t2i("serve", "--keys").error
    assert "cannot be read" in t2i("serve", "--keys", tmp_path / "none").error


def test_a_file_of_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# ours\nann {'a' * 16}\n\n{'b' * 16}\n")
    keys = read_keys(file)
    assert keys.owner(f"Bearer {'a' * 16}") == "ann" and keys.owner(f"Bearer {'b' * 16}") == "key4"
    assert keys.owner(f"Bearer {'c' * 16}") is None and keys.owner(None) is None and keys.owner("Bearer \udc80") is None
    for wrong in ("", "# none", "ann short", "a b c", f"ann {'a' * 16}\nann {'b' * 16}", f"x {'a' * 16}\ny {'a' * 16}"):
        file.write_text(wrong)
        with pytest.raises(InvalidInputError, match="keys"):
            read_keys(file)


def test_a_pictures_metadata_is_read_with_care(local: Served) -> None:
    assert local.ask("POST", "/v1/provenance", b"x", {"Content-Type": "text/plain"}).status == 415
    damaged = local.ask("POST", "/v1/provenance", b"\x89PNG\r\n\x1a\n" + b"\0" * 99, {"Content-Type": "image/png"})
    assert damaged.status == 400 and "not a complete" in damaged.error["message"]
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    plain = local.ask("POST", "/v1/provenance", buffer.getvalue(), {"Content-Type": "image/png"})
    assert plain.status == 404 and "does not say" in plain.error["message"]


def exchange(server: Served, *parts: bytes) -> bytes:
    """Everything the server sends on a connection that gets these bytes, until the server closes it."""
    with socket.create_connection(urlsplit(server.address).netloc.split(":"), timeout=30) as connection:  # type: ignore[arg-type]
        try:
            for part in parts:
                connection.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        received = b""
        try:
            while more := connection.recv(65536):
                received += more
        except ConnectionResetError:
            pass
        return received
