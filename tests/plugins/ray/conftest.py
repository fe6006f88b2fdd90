"""One Ray on this machine for all tests of this folder; its workers know the plugin in tests/fakes."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from fakes.s3 import s3_server
from fakes.site import python_path
from t2i.create import create_engine
from t2i.engine import Engine
from t2i.errors import EngineError

BUSY = 4.0  # processes for each core that are ready to run


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of a bucket on an S3 server on loopback."""
    with s3_server() as address:
        yield address


@pytest.fixture(scope="session")
def workers_environment(tmp_path_factory: pytest.TempPathFactory, s3: str) -> Iterator[None]:
    """What processes started from here inherit."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", python_path(tmp_path_factory.mktemp("site")))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture(scope="session")
def engine(workers_environment: None) -> Iterator[Engine]:
    """Two workers of this machine; skipped where so much other work runs that Ray does not start in its 30 s."""
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    try:
        opened = create_engine("local:2")
    except EngineError as error:
        if busy < BUSY:
            raise
        pytest.skip(f"{busy:.0f} processes for each core: {error}")
    with opened:
        yield opened
