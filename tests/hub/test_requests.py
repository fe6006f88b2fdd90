"""No server can make the client wait endlessly, no picture can make it download, and downloads are announced."""

from __future__ import annotations

import asyncio
import gzip
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import constants
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from fakes.command_line import T2I
from fakes.hub import FakeHub
from t2i.drawing.pipeline import pipeline
from t2i.drawing.regenerate import regenerate
from t2i.errors import IntegrityError, OfflineError, SnapshotError
from t2i.hub import client, pace
from t2i.snapshots.resolve import resolve

pytestmark = pytest.mark.usefixtures("fakes_installed")

NAME = "hf-hub:org/name"
Trees = tuple[dict[str, bytes], dict[str, bytes]]


@pytest.fixture
def picture(hub: FakeHub, trees: Trees, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture by the model org/name, which is not on this machine."""
    hub.repo("org/name", trees[0])
    path = pipeline(NAME, device="cpu")("pizza", seed=3)[0].save(tmp_path / "x.png")
    cache.rename(tmp_path / "other-machine")
    hub.requests.clear()
    return path


@pytest.mark.parametrize(("failures", "served"), [(1, True), (2, True), (3, False)])
def test_a_server_error_on_the_model_query_is_tried_again(
    hub: FakeHub, trees: Trees, monkeypatch: pytest.MonkeyPatch, failures: int, served: bool
) -> None:
    hub.repo("org/name", trees[0])
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    left = failures

    async def fails(request: Request) -> Response | None:
        nonlocal left
        left -= request.url.path == "/api/models/org/name"
        return Response(status_code=503) if left >= 0 and request.url.path == "/api/models/org/name" else None

    hub.fault = fails
    if served:
        assert resolve(NAME).revision
    else:
        with pytest.raises(OfflineError, match="HTTP 503"):
            resolve(NAME)
    assert sum(waits) < 10


@pytest.mark.parametrize("where", ["/api/models/org/name", "/cdn/"])
def test_a_server_that_sends_too_slowly_is_an_error(
    hub: FakeHub, trees: Trees, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    hub.repo("org/name", trees[0])
    monkeypatch.setattr(pace, "PATIENCE_SECONDS", 0.3)

    async def body() -> AsyncIterator[bytes]:
        for _ in range(600):
            yield b"x" * 20
            await asyncio.sleep(0.05)

    async def drips(request: Request) -> Response | None:
        dripping = request.method == "GET" and request.url.path.startswith(where)
        return StreamingResponse(body(), headers={"Content-Length": "12000"}) if dripping else None

    hub.fault = drips
    began = time.monotonic()
    with pytest.raises(OfflineError, match="it sent less than 10 kB per second"):
        resolve(NAME)
    assert time.monotonic() - began < 20


def test_a_compressed_response_is_refused(hub: FakeHub, trees: Trees) -> None:
    hub.repo("org/name", trees[0])

    async def packs(request: Request) -> Response | None:
        assert request.headers["accept-encoding"] == "identity"
        packed = gzip.compress(b" " * 10_000_000)
        return Response(packed, headers={"Content-Encoding": "gzip"}) if "/api/" in request.url.path else None

    hub.fault = packs
    with pytest.raises(SnapshotError, match="does not respond like a Hub"):
        resolve(NAME)


def test_an_endless_response_is_cut(hub: FakeHub, trees: Trees, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repo("org/name", trees[0])
    monkeypatch.setattr(client, "MAX_ANSWER_BYTES", 100_000)

    async def floods(request: Request) -> Response | None:
        return Response(b" " * 1_000_000) if "/api/" in request.url.path else None

    hub.fault = floods
    with pytest.raises(SnapshotError, match="its response has more than 100000 bytes"):
        resolve(NAME)


def test_a_download_is_announced(hub: FakeHub, trees: Trees, t2i: T2I, tmp_path: Path) -> None:
    hub.repo("org/name", trees[0])
    result = t2i("generate", "pizza", "--model", NAME, "-o", tmp_path / "x.png", "--device", "cpu")
    assert result.code == 0 and "downloading org/name@" in result.err and " files, " in result.err
    assert "downloading" not in t2i("generate", "a", "--model", NAME, "-o", tmp_path / "y.png", "--device", "cpu").err
    assert logging.getLogger("t2i").level == logging.NOTSET


def test_an_untrusted_picture_causes_no_request_without_fetch(hub: FakeHub, picture: Path, t2i: T2I) -> None:
    with pytest.raises(OfflineError, match=r"names the model hf-hub:org/name.*download it: --fetch"):
        regenerate(picture)
    assert "--fetch" in t2i("regenerate", picture).error
    assert not hub.requests
    assert not constants.HF_HUB_OFFLINE, "the machine is not offline afterwards"
    assert regenerate(picture, fetch=True).difference == 0


def test_other_weights_than_the_pictures_are_not_downloaded(
    hub: FakeHub, picture: Path, trees: Trees, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repos["org/name"].commit(trees[1])
    recorded = regenerate(picture, fetch=True).picture
    other = {"model.safetensors": "0" * 64}
    artist = replace(recorded.provenance.artist, weights=other, revision="")
    forged = replace(recorded, provenance=replace(recorded.provenance, artist=artist)).save(picture)
    hub.requests.clear()
    with pytest.raises(IntegrityError, match="must have the sha256 " + "0" * 64):
        regenerate(forged, fetch=True)
    assert not [asked for asked in hub.asked if "/cdn/" in asked or "/resolve/" in asked]
