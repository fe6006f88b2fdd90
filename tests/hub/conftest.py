"""A Hub on loopback used by the real client, and snapshots to publish."""

from __future__ import annotations

import pytest

from fakes.command_line import t2i as t2i
from fakes.hub import cache as cache
from fakes.hub import hub as hub
from fakes.hub import server as server
from fakes.models import FakeGenerator, FakeTextEncoder
from t2i.publishing.pretrained import save_pretrained


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """The files of two snapshots of the fake technique with different weights."""
    folder = tmp_path_factory.mktemp("trees")
    saved = [save_pretrained(FakeGenerator(), folder / x, text_encoder=FakeTextEncoder().identity) for x in "ab"]
    first, second = ({path.name: path.read_bytes() for path in snapshot.iterdir()} for snapshot in saved)
    return first, second
