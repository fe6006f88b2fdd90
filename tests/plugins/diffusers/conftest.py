"""Tiny pipelines of every family, written once per session."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.command_line import t2i as t2i
from fakes.hub import FakeHub
from fakes.hub import cache as cache
from fakes.hub import hub as hub
from fakes.hub import server as server
from fakes.pipelines import Written, tree_of, write_pipeline


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The folder of a family's tiny pipeline; tests do not change it."""
    root = tmp_path_factory.mktemp("pipelines")
    folders: dict[str, Path] = {}

    def of(family: str) -> Path:
        if family not in folders:
            folders[family] = write_pipeline(family, root / family)
        return folders[family]

    return of


@pytest.fixture
def repo(hub: FakeHub, written: Written, t2i_cache: Path) -> FakeHub:
    """A Hub with the repository org/tiny, a Stable Diffusion."""
    hub.repo("org/tiny", tree_of(written("sd")))
    return hub
