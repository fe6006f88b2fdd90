"""Runs docs/many_machines.md: the commands for one machine, in order in one folder."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from markdown import blocks

PAGE = "docs/many_machines.md"
BUSY = 4.0  # processes for each core that are ready to run: Ray then does not start in its 30 s


def test_every_command_for_one_machine_works(tmp_path: Path) -> None:
    lines = [line for block in blocks(PAGE) if block.language == "sh" for line in block.code.splitlines()]
    assert sum("--engine local:2" in line for line in lines) == 3
    environment = {**os.environ, "T2I_INDEX": str(tmp_path / "index.sqlite"), "OMP_NUM_THREADS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    said = []
    for line in lines:
        words = shlex.split(line)
        command = ["bash", "-c", line] if ">" in words else words
        ended = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900, check=False
        )
        busy = os.getloadavg()[0] / (os.cpu_count() or 1)
        if "Ray cannot start" in ended.stderr and busy > BUSY:
            pytest.skip(f"{busy:.0f} processes for each core: {ended.stderr}")
        assert ended.returncode == 0, f"{line}\n{ended.stderr}"
        said.append(ended.stderr)
    assert len(list((tmp_path / "pictures").glob("0*.png"))) == 300
    assert "300 added (300 of t2i)" in said[-1]
