"""Set up before anything is imported: signatures are checked, and no test sees this machine's caches or a network."""

from __future__ import annotations

import atexit
import functools
import gc
import os
import random
import shutil
import signal
import ssl
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint, distribution
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # `import shapes` and `import fakes`, whatever pytest's import mode
import shapes

gc.disable()  # until everything is collected: what is imported stays

ROOT = Path(__file__).parents[1]
CHECKED = ["t2i", *sorted(path.name for path in ROOT.glob("packages/plugins/*/src/t2i_*"))]
shapes.install(CHECKED)

# A background job starts with SIGINT ignored, and programs that the tests start and interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

_SCRATCH = Path(tempfile.mkdtemp(prefix="t2i-tests-"))
_STARTED_BY = os.environ.get("T2I_CACHE") if "PYTEST_XDIST_WORKER" in os.environ else None
atexit.register(shutil.rmtree, _SCRATCH, ignore_errors=True)
for variable, folder in (
    ("T2I_CACHE", "t2i"),
    ("HF_HOME", "huggingface"),
    ("XDG_DATA_HOME", "data"),
):  # huggingface_hub reads its variables at import
    (_SCRATCH / folder).mkdir()
    os.environ[variable] = str(_SCRATCH / folder)
if _STARTED_BY:  # converting a language model takes a minute, so the workers share it
    (_SCRATCH / "t2i" / "language-models").symlink_to(Path(_STARTED_BY) / "language-models")
else:
    (_SCRATCH / "t2i" / "language-models").mkdir()
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["T2I_INDEX"] = "off"  # tests of the index name their own
os.environ.pop("T2I_DISABLE_PLUGINS", None)
os.environ["ACCELERATE_MIXED_PRECISION"] = "no"  # the result of "auto"; a process has only one precision

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from xdist.remote import Producer  # noqa: E402
from xdist.scheduler import LoadFileScheduling  # noqa: E402

from fakes import plots as plotting  # noqa: E402
from t2i.registry import discovery  # noqa: E402
from t2i_text_hf.minilm import MiniLM  # noqa: E402

plotting.leave_out()
os.fsync = lambda _descriptor: None  # no test cuts the power
ssl.create_default_context = functools.cache(ssl.create_default_context)  # reads the machine's certificates

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
SEED = int(os.environ.get("T2I_TEST_SEED", "0"))


class _ByFile(LoadFileScheduling):
    """The tests of a file share slow fixtures, so one worker runs them; and those of all files that start Ray."""

    def _split_scope(self, nodeid: str) -> str:
        return "ray" if nodeid.startswith("tests/plugins/ray/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    return _ByFile(config, log)


def pytest_report_header() -> str:
    return f"T2I_TEST_SEED={SEED}"


def pytest_collection_finish() -> None:
    """Collections of garbage start now, and do not look at the modules that are imported by now."""
    gc.freeze()
    gc.freeze = lambda: None  # commands that run in this process would keep the garbage of all tests before
    gc.enable()


def pytest_runtest_setup() -> None:
    shapes.new_test()


@pytest.fixture(autouse=True)
def seeded(request: pytest.FixtureRequest) -> None:
    """Every test draws the same random numbers in every run; T2I_TEST_SEED chooses others."""
    seed = zlib.crc32(f"{SEED} {request.node.nodeid}".encode())
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed also formats three stacks, for GPUs


@pytest.fixture(scope="session", autouse=True)
def minilm() -> MiniLM:
    """The encoders of a process share what they read, as long as one of them exists: this one."""
    return MiniLM()


@pytest.fixture
def signatures_unchecked() -> Iterator[None]:
    """Arguments of a wrong type reach the code, as they do outside the tests."""
    with shapes.unchecked():
        yield


@pytest.fixture
def t2i_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty $T2I_CACHE for this test only."""
    cache = tmp_path / "t2i-cache"
    cache.mkdir()
    monkeypatch.setenv("T2I_CACHE", str(cache))
    return cache


@pytest.fixture
def plots() -> Iterator[None]:
    """Loss curves are plotted."""
    with plotting.drawn():
        yield


@pytest.fixture
def fakes_installed() -> Iterator[None]:
    """The plugin in tests/fakes is installed: the model "fake" and the text encoder "fake"."""
    with _fakes_installed():
        yield


@pytest.fixture(scope="module")
def fakes_installed_for_module() -> Iterator[None]:
    """The same, set up once for all tests of a file."""
    with _fakes_installed():
        yield


@contextmanager
def _fakes_installed() -> Iterator[None]:
    real, fake = discovery._entry_points(), (EntryPoint("fake", "fakes", "t2i"), distribution("t2i-core"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discovery, "_entry_points", lambda: [*real, fake])
        discovery.discover.cache_clear()
        yield
    discovery.discover.cache_clear()


@pytest.fixture
def fashion() -> Path:
    """Real photos in the Hugging Face imagefolder layout; they are not part of the repository."""
    folder = SHARED_DATA / "fashion"
    if not folder.is_dir():
        pytest.skip(f"the real pictures are not on this machine ({folder})")
    return folder
