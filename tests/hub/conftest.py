"""A Hub on loopback, and the real client turned to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import constants
from huggingface_hub.utils import _http

from fakes.command_line import t2i as t2i
from fakes.hub import TOKEN, FakeHub, serving
from fakes.models import FakeGenerator, FakeTextEncoder


@pytest.fixture(scope="session")
def server() -> Iterator[FakeHub]:
    with serving(FakeHub()) as hub:
        yield hub


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "hub-cache"


@pytest.fixture
def hub(server: FakeHub, cache: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """An empty Hub, an empty cache, and the owner's token, as HF_ENDPOINT, HF_HUB_CACHE and HF_TOKEN would set them."""
    server.reset()
    for name, value in {
        "ENDPOINT": server.url,
        "HUGGINGFACE_CO_URL_TEMPLATE": server.url + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(cache),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,  # another protocol to another server
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(_http, "_HUB_ORIGINS", frozenset({_http._url_origin(server.url)}))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    huggingface_hub.close_session()
    return server


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The files of two snapshots of the fake technique, with other weights."""
    folder = tmp_path_factory.mktemp("trees")
    saved = [FakeGenerator().save_pretrained(folder / x, text_encoder=FakeTextEncoder().identity) for x in "ab"]
    first, second = ({path.name: path.read_bytes() for path in snapshot.iterdir()} for snapshot in saved)
    return first, second
