"""Every check of this repository, by name: `uv run nox -s tests`. Sessions use the environment nox runs in."""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "none"
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
    """Strict types of everything that ships."""
    session.run("mypy", *SOURCES, external=True)


WORKERS = ("-n", "auto", "--dist", "loadfile")  # a file's tests share what is slow to set up
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
def docs(session: nox.Session) -> None:
    """Run every command and snippet of README.md and docs/."""
    session.run("python", "-m", "pytest", *WORKERS, "tests/docs", *session.posargs, env=ONE_THREAD)


@nox.session
def contents(session: nox.Session) -> None:
    """Build every distribution and read what is inside."""
    session.run("python", "-m", "pytest", "tests/wheels", *session.posargs)


@nox.session
def site(session: nox.Session) -> None:
    """Build the site from docs/ into docs/_build; warnings are errors. Open docs/_build/index.html."""
    session.run("python", "-m", "sphinx", "-W", "--keep-going", "docs", "docs/_build", *session.posargs)


@nox.session(name="publish-weights")
def publish_weights(session: nox.Session) -> None:
    """Publish every bundled snapshot on the Hub; the argument is the namespace."""
    session.run("python", "-m", "t2i_starter.publish", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Build a wheel and an sdist of every distribution into dist/."""
    session.run("uv", "build", "--all-packages", "--out-dir", "dist", external=True)


@nox.session
def wheels(session: nox.Session) -> None:
    """Install the wheels from an index on loopback and live with them; arguments choose journeys by name."""
    shutil.rmtree("dist", ignore_errors=True)  # an older version there would be installed, too
    build(session)
    session.run("python", "tests/wheels/journey.py", "dist", *session.posargs)
