"""Keeps plugins' output out of t2i's results."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress


@contextmanager
def stdout_kept_clean() -> Iterator[None]:
    """For the block, everything written to stdout, by Python, a library or a child process, goes to stderr."""
    with redirect_stdout(sys.stderr), _descriptor_kept_clean():
        yield


@contextmanager
def _descriptor_kept_clean() -> Iterator[None]:
    try:
        with suppress(AttributeError, ValueError):  # there is no stdout, or it is closed
            sys.__stdout__.flush()  # type: ignore[union-attr]
        kept = os.dup(1)
    except OSError:  # this process has no descriptor 1
        yield
        return
    try:
        with suppress(OSError):
            os.dup2(2, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
