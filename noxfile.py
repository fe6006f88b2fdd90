"""The checks of this repository as sessions, such as `uv run nox -s tests`, in the environment nox runs in."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any

import nox

nox.options.default_venv_backend = "none"
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each of hundreds of processes compiles torch's modules again
nox.options.sessions = ["lint", "types", "tests"]

SOURCES = ["packages/core/src", *sorted(str(path) for path in Path("packages/plugins").glob("*/src"))]


@nox.session
def lint(session: nox.Session) -> None:
    """Style, formatting, and which module may import which."""
    session.run("ruff", "check", ".", external=True)
    session.run("ruff", "format", "--check", ".", external=True)
    session.run("lint-imports", external=True)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types of all published code, strictly."""
    session.run("mypy", *SOURCES, external=True)


WORKERS = ("-n", "auto", "--dist", "loadfile")  # tests of one file share slow fixtures
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite; arguments go to pytest, such as `-- -m slow`."""
    session.run("python", "-m", "pytest", *WORKERS, *session.posargs, env=ONE_THREAD)


@nox.session
def coverage(session: nox.Session) -> None:
    """The test suite again, counting which lines of packages/ it runs, in this process and in those it starts."""
    measured = [f"--cov={source}" for source in SOURCES]
    session.run(
        "python",
        "-m",
        "pytest",
        *WORKERS,
        *measured,
        "--cov-report=term:skip-covered",
        *session.posargs,
        env=ONE_THREAD,
    )


@nox.session
def bench(session: nox.Session) -> None:
    """Speed and memory as ratios from one run; arguments choose benchmarks by name."""
    session.run("python", "tests/benchmarks/run.py", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Fuzz every reader of untrusted files; the argument is the number of inputs for each (3,000)."""
    session.run("python", "tests/fuzzing/run.py", *session.posargs, env=ONE_THREAD)


@nox.session
def docs(session: nox.Session) -> None:
    """Run every command and snippet of README.md and docs/."""
    session.run("python", "-m", "pytest", *WORKERS, "tests/docs", *session.posargs, env=ONE_THREAD)


@nox.session
def contents(session: nox.Session) -> None:
    """Build every distribution and check its contents."""
    session.run("python", "-m", "pytest", "tests/wheels", *session.posargs)


@nox.session
def site(session: nox.Session) -> None:
    """Build the site from docs/ into docs/_build; warnings are errors. Open docs/_build/index.html."""
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "docs", "docs/_build", *session.posargs)


@nox.session
def bundle(session: nox.Session) -> None:
    """Add a run to the pretrained models of t2i-starter; the arguments are the run folder and technique.tag."""
    from t2i_starter.bundle import bundle

    run, name = arguments(session, "RUN", "TECHNIQUE.TAG")
    session.log(str(one_sentence(session, bundle, Path(run), name)))


@nox.session(name="publish-weights")
def publish_weights(session: nox.Session) -> None:
    """Publish every bundled snapshot on the Hub; the argument is the namespace."""
    from t2i_starter.publish import publish_bundled

    (namespace,) = arguments(session, "NAMESPACE")
    one_sentence(session, publish_bundled, namespace, say=session.log, warn=session.warn)


@nox.session(name="train-heads")
def train_heads(session: nox.Session) -> None:
    """Train the heads of the bundled image-text encoder again; the argument is a new folder."""
    from t2i.cli.console import progress
    from t2i_metrics.train_heads import train_heads

    (out,) = arguments(session, "OUT")
    for what, score in one_sentence(session, train_heads, Path(out), progress).items():
        session.log(f"{what}: {score}")


@nox.session(name="train-detector")
def train_detector(session: nox.Session) -> None:
    """Train the detector of `skills` again (25 minutes of one CPU core); the argument is a new folder."""
    from t2i.cli.console import progress
    from t2i_metrics.skills.train import train_detector

    (out,) = arguments(session, "OUT")
    session.log(one_sentence(session, train_detector, Path(out), progress))


@nox.session(name="skills-sheet")
def skills_sheet(session: nox.Session) -> None:
    """Draw right and wrong pictures of each skill on one page; the arguments are a model and a new WebP file."""
    from t2i.cli.console import progress
    from t2i_metrics.skills.sheet import skills_sheet

    model, out = arguments(session, "MODEL", "OUT.webp")
    one_sentence(session, skills_sheet, model, Path(out), progress)


@nox.session(name="world-sheet")
def world_sheet(session: nox.Session) -> None:
    """Draw docs/pictures/world.webp again: pictures of openmoji-world with their captions."""
    from t2i_openmoji.world.sheet import world_sheet

    one_sentence(session, world_sheet, Path("docs/pictures/world.webp"))


@nox.session(name="application-pictures")
def application_pictures(session: nox.Session) -> None:
    """Draw grid, board, contact and story in docs/pictures again, by the pages' commands and chromium."""
    sys.path.insert(0, "tests/docs")
    from markdown import blocks
    from PIL import Image

    made, pictures = Path(session.create_tmp()).resolve(), Path("docs/pictures").resolve()
    shutil.rmtree(made)  # t2i replaces no file of an earlier run
    made.mkdir()
    for page in ("products", "stories", "boards"):
        found = blocks(f"docs/{page}.md")
        for block in found:
            if block.title:
                (made / block.title).write_text(block.code)
        first = next(block.code for block in found if block.language == "sh").splitlines()[0]
        with session.chdir(made):
            session.run(*shlex.split(first))
    shutil.copy(made / "things.png", pictures / "board.png")
    lines = [
        line for block in blocks("docs/quick_start.md") for line in block.code.splitlines() if "-o pandas/" in line
    ]
    with session.chdir(made):
        session.run(*shlex.split(lines[0]))
    shutil.copy(made / "pandas" / "grid.png", pictures / "grid.png")
    for page, place, name, size in (
        ("shop/contact.html", "", "contact", (1000, 490)),
        ("fox.html", "#p1", "story", (1000, 545)),
    ):
        screenshot((made / page).as_uri() + place, size, made / f"{name}.png")
        with Image.open(made / f"{name}.png") as shown:
            shown.convert("RGB").save(pictures / f"{name}.webp", lossless=True, quality=100, method=6)


def screenshot(address: str, size: tuple[int, int], picture: Path) -> None:
    """A picture of a page as a browser shows it; chromium's own --screenshot does not scroll to a place in it."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--force-prefers-reduced-motion"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver") or "chromedriver"))
    try:
        view = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", view)
        browser.get(address)
        picture.write_bytes(browser.get_screenshot_as_png())
    finally:
        browser.quit()


@nox.session(name="sample-size")
def sample_size(session: nox.Session) -> None:
    """Draw docs/pictures/sample_size.png again; or sample_size.png of the dataset given as argument."""
    from t2i_metrics.sample_size import sample_size

    data, folder = (session.posargs[0], Path()) if session.posargs else ("openmoji", Path("docs/pictures"))
    for row in one_sentence(session, sample_size, data, folder / "sample_size.png"):
        session.log(f"{row.count:>6} pictures: fid {mean(row.fid):.2f}, kid {mean(row.kid):+.4f}")


@nox.session(name="option-plot")
def option_plot(session: nox.Session) -> None:
    """Plot skills and KID against an option; arguments such as `flow.world64 steps 4,8,16,32 steps.webp`."""
    from t2i.cli.console import progress
    from t2i_metrics.option_plot import option_plot

    model, option, values, out = arguments(session, "MODEL", "OPTION", "VALUES", "OUT.webp")
    found = one_sentence(session, option_plot, model, option, values.split(","), Path(out), progress)
    for value, each in found.items():
        shown = ", ".join(f"{name} {each.scores[name].value:.3f}" for name in ("skills", "kid"))
        session.log(f"{option} {value:>4}: {shown}, {each.seconds_per_image:.3f} s per picture")


def arguments(session: nox.Session, *names: str) -> list[str]:
    """The session's arguments, one for each name."""
    if len(session.posargs) != len(names):
        session.error(f"Give {len(names)}: nox -s {session.name} -- {' '.join(names)}")
    return session.posargs


def one_sentence(session: nox.Session, work: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """Return the result of `work`; a T2IError ends the session with its message."""
    from t2i.errors import T2IError

    logging.disable(logging.DEBUG)  # without this, nox shows every library's log messages
    try:
        return work(*given, **named)
    except T2IError as error:
        session.error(str(error))


@nox.session
def build(session: nox.Session) -> None:
    """Build a wheel and an sdist of every distribution into dist/."""
    session.run("uv", "build", "--all-packages", "--out-dir", "dist", external=True)


@nox.session
def wheels(session: nox.Session) -> None:
    """Install the wheels from an index on loopback and use them; arguments choose scenarios by name."""
    shutil.rmtree("dist", ignore_errors=True)  # otherwise old versions would be installed too
    build(session)
    session.run("python", "tests/wheels/journey.py", "dist", *session.posargs)
