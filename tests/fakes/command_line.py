"""Runs `t2i` inside the test's process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from t2i.cli.main import main


@dataclass(frozen=True)
class Result:
    """A command's exit code and output."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one-line error message, after checking that the command failed with exit code 2 and no traceback."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert self.code == 2, self
        assert len(lines) == 1 and "Traceback" not in self.out + self.err, self
        assert self.err.rstrip().endswith(lines[0]), self
        return lines[0]


T2I = Callable[..., Result]


@pytest.fixture
def t2i(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> T2I:
    """Run `t2i` with these arguments."""

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["t2i", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as exited:
            main()
        assert isinstance(exited.value.code, int)
        return Result(exited.value.code, *capsys.readouterr())

    return run


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file's bytes and time of change, and every folder, under `folder`."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) if path.is_file() else (b"", 0)
        for path in folder.rglob("*")
    }
