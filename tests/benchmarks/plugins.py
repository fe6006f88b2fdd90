"""Finding plugins: the time of `t2i models` with 200 installed plugins, compared with the first-party ones alone."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import line

COUNT = 200
PLUGIN = """
from t2i.registry import ModelSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_models():
    return [ModelSpec(name="many-{n}", target="x:Y", config="x:Z", kind="gan", summary="one of many", paper="none")]
"""
METADATA = """Metadata-Version: 2.4
Name: t2i-many-{n}
Version: 1.0
Summary: one of many
Requires-Dist: torch>=2.7
Requires-Dist: t2i-core>=0.1,<0.2

{readme}"""
README = "What it does, in a line of a readme of ordinary length.\n" * 120
FINDING = """
import time
from t2i.registry.discovery import registry
wall, processor = time.perf_counter(), time.process_time()
found = len(registry().plugins)
print(found, time.perf_counter() - wall, time.process_time() - processor)
"""
RUNS = 7


def run() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for n in range(COUNT):
            install(Path(scratch), n)
        finding(scratch)  # writes the byte code, as pip does
        few, many = zip(*[(finding(""), finding(scratch)) for _ in range(RUNS)], strict=True)
    for what, runs in ((f"the {few[0][0]:.0f} first-party plugins", few), (f"{many[0][0]:.0f} plugins", many)):
        wall, processor = (statistics.median(run[index] for run in runs) for index in (1, 2))
        line(f"finding {what}", f"{wall:.3f} s", "goal: at most 0.5 s")
        line("  of which processor time", f"{processor:.3f} s")


def finding(site: str) -> tuple[float, ...]:
    """The number of plugins a fresh process finds with `site` on its path, and the wall and CPU seconds."""
    paths = os.pathsep.join(filter(None, [site, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run([sys.executable, "-c", FINDING], env=environment, capture_output=True, text=True, check=True)
    return tuple(map(float, done.stdout.split()))


def install(site: Path, n: int) -> None:
    """Write one distribution as pip installs it."""
    (site / f"t2i_many_{n}.py").write_text(PLUGIN.format(n=n))
    information = site / f"t2i_many_{n}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(METADATA.format(n=n, readme=README))
    (information / "entry_points.txt").write_text(f"[t2i]\nmany-{n} = t2i_many_{n}\n")
