"""Sessions find their tools, however nox is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from markdown import ROOT

TOOLS = ("python", "ruff", "mypy", "lint-imports", "sphinx-build")


def test_tools_come_from_the_environment_of_nox() -> None:
    code = f"import shutil, noxfile; print(*map(shutil.which, {TOOLS}))"
    environment = os.environ | {"PATH": "/usr/bin:/bin"}
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert {str(Path(path).parent) for path in found.stdout.split()} == {str(Path(sys.executable).parent)}, found
