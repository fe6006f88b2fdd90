"""Finding plugins: what 200 installed ones cost whoever types `t2i models`, beside the first-party ones alone."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from measure import commands, line

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
Requires-Dist: torch>=2.6
Requires-Dist: t2i-core>=0.1,<0.2

{readme}"""
README = "What it does, in a line of a readme of ordinary length.\n" * 120
FINDING = "from t2i.registry.plugins import registry; assert len(registry().plugins) >= {count}"
UNDERSTANDING = "import t2i.registry.plugins"


def run() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        for n in range(COUNT):
            install(Path(scratch), n)
        paths = os.pathsep.join(filter(None, [scratch, os.environ.get("PYTHONPATH")]))
        many = {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": ""}
        few, nothing = [sys.executable, "-c", FINDING.format(count=1)], [sys.executable, "-c", UNDERSTANDING]
        all_ = [sys.executable, "-c", FINDING.format(count=COUNT)]
        (base, here) = commands(nothing, few)
        (base_many, there) = commands(nothing, all_, env=many)
    line("finding the first-party plugins", f"{here.median - base.median:.3f} s")
    line(f"finding {COUNT} more", f"{there.median - base_many.median:.3f} s", "goal: at most 0.5 s")


def install(site: Path, n: int) -> None:
    """One distribution, as pip leaves it."""
    (site / f"t2i_many_{n}.py").write_text(PLUGIN.format(n=n))
    information = site / f"t2i_many_{n}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(METADATA.format(n=n, readme=README))
    (information / "entry_points.txt").write_text(f"[t2i]\nmany-{n} = t2i_many_{n}\n")
