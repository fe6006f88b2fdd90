"""`t2i` in a forked child process, which a test can kill, and which need not import everything again."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import torch
from accelerate.state import AcceleratorState

from t2i.cli.main import main


class ForkedCommand:
    """Runs `t2i` with these arguments on one thread; it starts at once and is killed at the end of the `with` block.

    Attributes:
        pid: its process id.
        returncode: as in subprocess: -9 after kill -9; None while it runs.
    """

    def __init__(self, *arguments: object, environment: Mapping[str, str] | None = None) -> None:
        self._output = tempfile.TemporaryDirectory(prefix="t2i-forked-")
        self.returncode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            self._run([str(argument) for argument in arguments], environment or {})

    def __enter__(self) -> ForkedCommand:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.poll() is None:
            self.send_signal(signal.SIGKILL)
            self.wait()
        self._output.cleanup()

    @property
    def out(self) -> str:
        """Its output on stdout so far."""
        return self.out_bytes.decode()

    @property
    def out_bytes(self) -> bytes:
        """The same, undecoded: `-o -` writes a picture."""
        return self._read("1")

    @property
    def err(self) -> str:
        """Its output on stderr so far."""
        return self._read("2").decode()

    def _read(self, name: str) -> bytes:
        file = Path(self._output.name) / name
        return file.read_bytes() if file.exists() else b""  # the process has only just begun

    def poll(self) -> int | None:
        """The current `returncode`."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send it a signal, such as signal.SIGINT."""
        os.kill(self.pid, number)

    def wait(self, seconds: float = 300) -> int:
        """Its return code.

        Raises:
            TimeoutError: it still runs after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"`t2i` still runs after {seconds} s: {self.err}")
            time.sleep(0.005)
        return code

    def _run(self, arguments: list[str], environment: Mapping[str, str]) -> NoReturn:
        code = 1
        try:
            for number in (1, 2):
                file = os.open(Path(self._output.name) / str(number), os.O_CREAT | os.O_WRONLY | os.O_APPEND)
                os.dup2(file, number)
            sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
            os.environ |= environment
            signal.signal(signal.SIGINT, signal.default_int_handler)
            torch.set_num_threads(1)
            AcceleratorState._reset_state(reset_partial_state=True)
            sys.argv = ["t2i", *arguments]
            main()
        except SystemExit as done:
            code = done.code if isinstance(done.code, int) else int(done.code is not None)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
