"""Only one process can train a run; a second one gets an error that names it, and a kill releases the lock."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from t2i.errors import DataError, OutputError, TrainingError
from t2i.runs.lock import locked
from t2i.training import run

HOLD = """
import sys, time
from pathlib import Path
from t2i.runs.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None and other.stdout.readline() == "held\n"
    with pytest.raises(TrainingError, match=f"by process {other.pid} on {socket.gethostname()}"), locked(tmp_path):
        pass
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    other.stdout.close()
    with locked(tmp_path):
        assert str(os.getpid()) in (tmp_path / ".lock-holder").read_text()
        with pytest.raises(TrainingError, match=f"process {os.getpid()}"), locked(tmp_path):
            pass
    with locked(tmp_path):  # and again
        pass


def test_a_failed_start_leaves_no_folder(tmp_path: Path) -> None:
    settings = {"technique": "cgan", "data": str(tmp_path)}
    with pytest.raises(DataError):
        run.start(settings, tmp_path / "runs" / "a")
    assert not (tmp_path / "runs" / "a").exists()


def test_a_run_that_is_being_trained_can_neither_be_started_nor_resumed(tmp_path: Path) -> None:
    out = tmp_path / "a"
    with locked(out):
        with pytest.raises(TrainingError, match="is being trained by process"):
            run.start({"technique": "cgan", "data": str(tmp_path)}, out)
        (out / "run.yaml").write_text("{technique: cgan, data: x}")
        with pytest.raises(TrainingError, match="is being trained by process"):
            run.resume(out)
    shutil.rmtree(out)


def test_an_unwritable_run_folder_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Cannot write"), locked(tmp_path / "file" / "run"):
        pass
