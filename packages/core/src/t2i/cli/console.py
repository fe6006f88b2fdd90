"""Output of the command line: results on stdout, everything else on stderr.

Everything is printed here, through `printable`, because texts may come from an untrusted file.
"""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import Any

from t2i.display import printable

GAP = 2  # characters between two columns of a table
MOST_WARNINGS = 10  # printed per kind
NARROWEST = 24  # characters of a table's last column
SECONDS_A_LINE = 15.0  # of progress, where there is no terminal
LONGEST_CELL = 500
LONGEST_LINE = 10_000  # of a result


def report(*lines: object) -> None:
    """Print lines of a result on stdout."""
    for line in lines:
        print(printable(line, LONGEST_LINE), flush=True)


def report_json(value: Any) -> None:
    """Print a result as JSON on stdout, in ASCII."""
    print(json.dumps(value, indent=2, default=_plain), flush=True)


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


def say(*lines: object) -> None:
    """Print lines of a message on stderr."""
    for line in lines:
        print(printable(line), file=sys.stderr, flush=True)


def warn(message: str) -> None:
    """Print a warning on stderr."""
    say(f"warning: {message}")


@contextmanager
def python_warnings() -> Iterator[None]:
    """Print each UnreadPromptWarning once, as a warning of the command line; after MOST_WARNINGS, only their number."""
    from t2i.errors import UnreadPromptWarning

    shown: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *where: Any, **how: Any) -> None:
        if not issubclass(category, UnreadPromptWarning):
            others(message, category, *where, **how)
        elif str(message) not in shown:
            shown.add(str(message))
            if len(shown) <= MOST_WARNINGS:
                warn(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("always", UnreadPromptWarning)
        others, warnings.showwarning = warnings.showwarning, show
        try:
            yield
        finally:
            if len(shown) > MOST_WARNINGS:
                warn(f"{len(shown) - MOST_WARNINGS} more prompts were not read completely")


def fail(message: str) -> int:
    """Print an error on stderr as one line, with the process's number except in process 0; returns the exit code."""
    process = os.environ.get("RANK", "0")
    say(f"error{'' if process == '0' else f' in process {process}'}: {' '.join(message.split())}")
    return 2


@contextmanager
def speaking() -> Iterator[None]:
    """For the block, streams of any encoding accept any text, and log records and warnings are printed here."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    heard, root, own = _Heard(), logging.getLogger(), logging.getLogger("t2i")
    root.addHandler(heard)
    own.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        own.setLevel(logging.NOTSET)
        root.removeHandler(heard)


@contextmanager
def interruptible(advice: str = "") -> Iterator[None]:
    """Print the message of a KeyboardInterrupt, which says how much is done, and `advice`; typer would drop it."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        say("")  # after the terminal's ^C
        if str(interrupt):
            say(f"{interrupt} {advice}".rstrip())
        raise


class _Heard(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        message = " ".join(record.getMessage().split())
        if record.levelno >= logging.WARNING:
            warn(message)
        elif record.name.startswith("t2i"):
            say(message)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns as wide as their cells; the last column is wrapped to fit the terminal.

    Args:
        rows: each of as many cells as `head`; nothing is printed if there are none.
    """
    if not rows:
        return
    head, *rows = [[printable(cell, LONGEST_CELL) for cell in row] for row in (head, *rows)]
    *widths, _ = (max(map(len, column)) for column in zip(head, *rows, strict=True))
    indent = sum(widths) + GAP * len(widths)
    room = max(shutil.get_terminal_size().columns - indent, NARROWEST)
    for *cells, last in (head, *rows):
        start = "".join(f"{cell:<{width + GAP}}" for cell, width in zip(cells, widths, strict=True))
        wrapped = textwrap.wrap(last, room, break_long_words=False, break_on_hyphens=False)
        report((start + (wrapped[0] if wrapped else "")).rstrip(), *(f"{'':<{indent}}{line}" for line in wrapped[1:]))


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Show `what` on a terminal while the block runs."""
    if not sys.stderr.isatty():
        yield
        return
    print(f"  {printable(what, 70)} ...", end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr, or lines if it is not a terminal; yields a function of the number of steps done."""
    if not sys.stderr.isatty():
        yield _lines(title, total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(printable(title, LONGEST_CELL), total=total)
        yield lambda steps: bar.update(task, advance=steps)


def _lines(title: str, total: int) -> Callable[[int], None]:
    """Progress as lines, at most one every SECONDS_A_LINE, so that a log shows that long work is going on."""
    done, last = 0, time.monotonic()

    def advance(steps: int) -> None:
        nonlocal done, last
        done += steps
        if time.monotonic() - last >= SECONDS_A_LINE:
            last = time.monotonic()
            say(f"{title}: {done:,} of {total:,}")

    return advance
