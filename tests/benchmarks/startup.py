"""Start-up time of t2i, before anything is drawn."""

from __future__ import annotations

import shutil
import sys

from measure import commands, line, ratio


def run() -> None:
    t2i = shutil.which("t2i", path=None) or str(sys.executable).replace("python", "t2i")
    python = sys.executable
    lines = {
        "python -c pass": [python, "-c", "pass"],
        'python -c "import t2i"': [python, "-c", "import t2i"],
        "t2i --help": [t2i, "--help"],
        "t2i models": [t2i, "models"],
        'python -c "import timm"': [python, "-c", "import timm"],
    }
    base, *rest = commands(*lines.values())
    line("python -c pass", f"{base.median:.3f} s")
    for name, measured in zip(list(lines)[1:], rest, strict=True):
        goal = "" if "timm" in name else "goal: at most 0.4 s"
        line(name, f"{measured.median:.3f} s", goal)
        line("  against python -c pass", f"{ratio(measured, base):.1f} x")
