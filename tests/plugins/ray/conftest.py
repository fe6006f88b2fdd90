"""One Ray on this machine for all tests of this folder; its workers know the plugin in tests/fakes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.s3 import s3_server
from t2i.create import create_engine
from t2i.engine import Engine
from t2i.errors import EngineError

BUSY = 4.0  # processes for each core that are ready to run
TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH, in which the plugin of tests/fakes is installed as a distribution."""
    folder = tmp_path_factory.mktemp("site")
    facts = folder / "fakes-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: fakes\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[t2i]\nfakes = fakes\n")
    return folder


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The address of a bucket on an S3 server on loopback."""
    with s3_server() as address:
        yield address


@pytest.fixture(scope="session")
def workers_environment(site: Path, s3: str) -> Iterator[None]:
    """What processes started from here inherit."""
    with pytest.MonkeyPatch.context() as patch:
        paths = [str(site), str(TESTS), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
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
