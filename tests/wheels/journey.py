"""Installs the wheels that `nox -s build` built, as a user would, and uses them: `uv run nox -s wheels`.

    python tests/wheels/journey.py dist             # everything: alone, lowest, newest
    python tests/wheels/journey.py dist alone       # only this one

The wheels come from a package index on loopback, their requirements from the index that pip and uv are configured with,
and the pretrained weights from a Hub on loopback, to which the real client pushes them. It stops at the first failure.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import Distribution
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import pypiserver
from packaging.metadata import Metadata
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from fakes.hub import TOKEN, FakeHub, serving  # noqa: E402

PLUGIN = "t2i-stackgan"
BROUGHT = ("t2i-core", "t2i-stackgan", "t2i-text-hf")
NAME = "my-org/squares"
COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "black", "white")
TEST_TOOLS = ("beartype", "fastapi", "hypothesis", "pytest", "uvicorn")
CORE_TESTS = (
    "tests/core/test_config.py",
    "tests/core/test_files.py",
    "tests/core/test_images.py",
    "tests/core/registry/test_specs.py",
    "tests/core/data/test_folder.py",
    "tests/core/data/test_pack.py",
    "tests/core/training/test_checkpoint.py",
    "tests/core/training/test_report.py",
    "tests/hub/test_download.py",
    "tests/hub/test_push.py",
)


class Failure(Exception):
    """A step failed; the message is one sentence."""


@dataclass(frozen=True)
class World:
    """What all scenarios share: wheels, their index, a Hub, and a working folder."""

    dist: Path
    index: str
    hub: FakeHub
    scratch: Path

    @property
    def distributions(self) -> list[str]:
        """Our distributions, including "t2i"."""
        return sorted(wheel.name.split("-")[0].replace("_", "-") for wheel in self.dist.glob("*.whl"))

    def requirements(self, distribution: str) -> list[Requirement]:
        """The requirements of the wheel of `distribution`, without extras."""
        (wheel,) = self.dist.glob(f"{distribution.replace('-', '_')}-[0-9]*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (path,) = [path for path in archive.namelist() if path.endswith(".dist-info/METADATA")]
            found = Metadata.from_email(archive.read(path)).requires_dist or []
        return [requirement for requirement in found if not requirement.marker]


@dataclass(frozen=True)
class Environment:
    """A fresh virtual environment, with a working folder and caches of its own."""

    folder: Path
    world: World

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    @property
    def variables(self) -> dict[str, str]:
        """The variables of this process without those that point to the repository, and the Hub on loopback."""
        theirs = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
        ours = {"HF_HOME": str(self.folder / "hf"), "T2I_CACHE": str(self.folder / "t2i"), "HF_HUB_OFFLINE": "0"}
        return theirs | ours | hub_variables(self.world.hub)

    def install(self, *arguments: str) -> None:
        """`uv pip install`, which can choose the oldest versions; our wheels come from loopback, uncached."""
        fresh = [word for name in self.world.distributions for word in ("--refresh-package", name)]
        run(["uv", "pip", "install", "-q", "--python", self.python, "--index", self.world.index, *fresh, *arguments])

    def pip(self, *arguments: str) -> None:
        """Plain pip, which every user has."""
        run([self.python, "-m", "pip", "--disable-pip-version-check", *arguments], self.folder, self.variables)

    def pip_install(self, distribution: str) -> None:
        """The same, and check that our wheels came from loopback, because pip takes the newest version of any index."""
        report = self.folder / "report.json"
        self.pip("install", "--report", str(report), "--extra-index-url", self.world.index, distribution)
        for each in json.loads(report.read_text())["install"]:
            name, url = canonicalize_name(each["metadata"]["name"]), each["download_info"]["url"]
            ours = name in self.world.distributions
            require(not ours or url.startswith("http://127.0.0.1:"), f"expected {name} from loopback, got {url}")

    def versions(self) -> dict[NormalizedName, str]:
        """The installed versions."""
        (site,) = self.folder.glob("venv/lib/python*/site-packages")
        found = Distribution.discover(path=[str(site)])
        return {canonicalize_name(distribution.name): distribution.version for distribution in found}

    def t2i(self, *arguments: str) -> str:
        """Run the command; returns what it prints on both streams."""
        return run([self.python.with_name("t2i"), *arguments], self.folder, self.variables)

    def refused(self, remedy: str, *arguments: str) -> None:
        """Check that the command fails with exit code 2 and one sentence that contains `remedy`."""
        output = run([self.python.with_name("t2i"), *arguments], self.folder, self.variables, code=2)
        require(output.startswith("error: ") and output.count("\n") == 1, f"expected one sentence, got:\n{output}")
        require(remedy in output, f"{remedy!r} expected as the fix, got: {output}")

    def tests(self, *paths: str) -> None:
        """Run these test files against the installed wheels."""
        output = run([self.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths], ROOT, self.variables)
        say(f"  {output.splitlines()[-1]}")


def alone(world: World) -> None:
    """One plugin, installed alone, draws with weights from the Hub; without it everything else works."""
    here = fresh(world, "alone")
    step(f"{PLUGIN} alone brings core and a text encoder, and no other plugin")
    here.pip_install(PLUGIN)
    brought = tuple(sorted(name for name in here.versions() if name.startswith("t2i")))
    require(brought == BROUGHT, f"{BROUGHT} expected, got {brought}")
    here.pip("check")

    step("it is listed, and other plugins are listed with how to install them")
    require_all(here.t2i("models"), "stackgan-v2", "pip install t2i-cgan")
    here.t2i("doctor")

    step("missing weights are a one-sentence error with a fix")
    here.refused("pip install t2i-starter", "generate", "a red heart")
    here.refused("t2i train stackgan", "generate", "a red heart", "--model", "stackgan")

    step("it draws with weights from the Hub, and regenerates the same file")
    published = publish(world)
    ask = ("generate", "a red square", "--model", f"hf-hub:{NAME}", "--seed", "7", "--device", "cpu", "-o")
    here.t2i(*ask, "red.png")
    picture = Image.open(here.folder / "red.png")
    require(picture.size == (16, 16), f"expected 16 x 16 pixels, got {picture.size}")
    require(published in str(picture.info), f"the picture does not name the commit {published}")
    require_all(here.t2i("regenerate", "red.png", "-o", "again.png"), "again.png")
    require(same(here.folder, "red.png", "again.png"), "expected the same file, got another")

    step(f"without {PLUGIN} everything else works")
    here.pip("uninstall", "--yes", PLUGIN)
    here.pip("check")
    require_all(here.t2i("models"), f"pip install {PLUGIN}")
    here.t2i("doctor")
    here.refused(f"pip install {PLUGIN}", *ask, "third.png")


def lowest(world: World) -> None:
    """The oldest versions that the wheels' metadata allow: core alone, core with the plugin, and everything."""
    here = fresh(world, "lowest")
    step("core alone at its lowest versions")
    here.install("--resolution", "lowest-direct", "t2i-core", *third_party(world, "t2i-core"))
    show(here)
    here.install(*TEST_TOOLS, *pinned(here))
    here.tests(*CORE_TESTS)

    step(f"{PLUGIN} at its lowest versions")
    here.install("--resolution", "lowest-direct", *BROUGHT, *third_party(world, *BROUGHT))
    show(here)
    here.pip("check")
    live(here)

    step("every distribution at its lowest versions: each bundled model draws, and an evaluator evaluates")
    here.install("--resolution", "lowest-direct", *world.distributions, *third_party(world, *world.distributions))
    show(here)
    here.pip("check")
    techniques = json.loads(here.t2i("models", "--pretrained", "--json"))
    names = [f"{weights['model']}.{weights['tag']}" for technique in techniques for weights in technique["weights"]]
    require(bool(names), "expected bundled models, but none is listed")
    for name in names:
        here.t2i("generate", "a red heart", "--model", name, "--device", "cpu", "-o", f"{name}.png")
    here.t2i("evaluate", "run", "--data", "squares", "--n", "8", "--metrics", "kid", "--device", "cpu")


def newest(world: World) -> None:
    """The newest versions that the wheels' metadata allow."""
    here = fresh(world, "newest")
    step(f"{PLUGIN} at its newest versions")
    here.install("--upgrade", *BROUGHT, *TEST_TOOLS)
    show(here)
    here.pip("check")
    here.tests(*CORE_TESTS)
    live(here)


JOURNEYS = {"alone": alone, "lowest": lowest, "newest": newest}


def live(here: Environment) -> None:
    """Train, draw, and regenerate a picture."""
    squares(here.folder / "squares")
    here.t2i("train", "stackgan", "--recipe", "tiny", "--data", "squares", "--out", "run", "--device", "cpu")
    here.t2i("generate", "a red square", "--model", "run", "--seed", "7", "--device", "cpu", "-o", "red.png")
    here.t2i("regenerate", "red.png", "-o", "again.png")
    require(same(here.folder, "red.png", "again.png"), "expected the same file, got another")


def publish(world: World) -> str:
    """Train a tiny model in this environment and push it; returns the commit."""
    folder = world.scratch / "published"
    squares(folder / "squares")
    command = [sys.executable, "-m", "t2i"]
    variables = {**os.environ, "HF_HOME": str(folder / "hf"), "HF_TOKEN": TOKEN, **hub_variables(world.hub)}
    train = ("train", "stackgan", "--recipe", "tiny", "--data", "squares", "--out", "run", "--device", "cpu")
    run([*command, *train], folder, variables)
    run([*command, "push", "run", NAME], folder, variables)
    return world.hub.repos[NAME].refs["main"]


def squares(folder: Path) -> None:
    folder.mkdir(parents=True)
    for colour in COLOURS:
        Image.new("RGB", (16, 16), colour).save(folder / f"{colour}.png")
        (folder / f"{colour}.txt").write_text(f"a {colour} square\n")


def third_party(world: World, *distributions: str) -> list[str]:
    """The wheels' requirements on other packages, as direct requirements for `lowest-direct`."""
    needed = [requirement for name in distributions for requirement in world.requirements(name)]
    return sorted({str(requirement) for requirement in needed if requirement.name not in world.distributions})


def pinned(here: Environment) -> list[str]:
    """The installed versions as constraints, so that nothing changes when more is installed."""
    return [f"{name}=={version}" for name, version in here.versions().items()]


def fresh(world: World, name: str) -> Environment:
    here = Environment(world.scratch / name, world)
    run(["uv", "venv", "-q", "--python", sys.executable, here.folder / "venv"])
    run(["uv", "pip", "install", "-q", "--python", here.python, "pip"])  # only pip: --seed adds more
    return here


def hub_variables(hub: FakeHub) -> dict[str, str]:
    return {"HF_ENDPOINT": hub.url, "HF_HUB_DISABLE_XET": "1"}  # Xet uses another protocol and server


def same(folder: Path, first: str, second: str) -> bool:
    return (folder / first).read_bytes() == (folder / second).read_bytes()


def show(here: Environment) -> None:
    """Print the versions of the wheels' direct requirements."""
    versions = here.versions()
    ours = [name for name in here.world.distributions if name in versions]
    named = {requirement.name for name in ours for requirement in here.world.requirements(name)} - set(ours)
    say("  " + ", ".join(f"{name} {version}" for name, version in sorted(versions.items()) if name in named))


def run(
    command: Sequence[str | Path], cwd: Path = ROOT, variables: dict[str, str] | None = None, *, code: int = 0
) -> str:
    """Run the command; returns what it wrote on both streams.

    Raises:
        Failure: its exit code is not `code`.
    """
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    require(done.returncode == code, f"`{' '.join(words)}` ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def require(true: bool, else_say: str) -> None:
    if not true:
        raise Failure(else_say)


def require_all(output: str, *parts: str) -> None:
    for part in parts:
        require(part in output, f"{part!r} expected in the output, got:\n{output}")


def step(what: str) -> None:
    say(f"[{time.perf_counter() - START:5.0f} s] {what}")


def say(line: str) -> None:
    print(line, flush=True)


@contextmanager
def index_of(dist: Path) -> Iterator[str]:
    """The address of a package index with only the wheels in `dist`."""

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    app = pypiserver.app(roots=[dist], disable_fallback=True)
    with make_server("127.0.0.1", 0, app, Server, Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple/"
        server.shutdown()


def main(dist: str, *names: str) -> int:
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="t2i-wheels-")))
        index = stack.enter_context(index_of(Path(dist).resolve()))
        world = World(Path(dist).resolve(), index, stack.enter_context(serving(FakeHub())), scratch)
        try:
            for name in names or JOURNEYS:
                JOURNEYS[name](world)
        except Failure as surprise:
            say(f"stopped: {surprise}")
            return 1
    step("all scenarios passed")
    return 0


START = time.perf_counter()

if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
