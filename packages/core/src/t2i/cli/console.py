"""Output of the command line: results on stdout, everything else on stderr."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

GAP = 2  # characters between two columns of a table
NARROWEST = 24  # characters of a table's last column


def say(message: str) -> None:
    """Print a message on stderr."""
    print(message, file=sys.stderr)


def warn(message: str) -> None:
    """Print a warning on stderr."""
    say(f"warning: {message}")


def fail(message: str) -> int:
    """Print an error on stderr as one line, with the process's number except in process 0; returns the exit code."""
    process = os.environ.get("RANK", "0")
    say(f"error{'' if process == '0' else f' in process {process}'}: {' '.join(message.split())}")
    return 2


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns as wide as their cells; the last column is wrapped to fit the terminal.

    Args:
        rows: each of as many cells as `head`; nothing is printed if there are none.
    """
    if not rows:
        return
    *widths, _ = (max(map(len, column)) for column in zip(head, *rows, strict=True))
    indent = sum(widths) + GAP * len(widths)
    room = max(shutil.get_terminal_size().columns - indent, NARROWEST)
    for *cells, last in (head, *rows):
        start = "".join(f"{cell:<{width + GAP}}" for cell, width in zip(cells, widths, strict=True))
        wrapped = textwrap.wrap(last, room, break_long_words=False, break_on_hyphens=False)
        print(start + f"\n{'':<{indent}}".join(wrapped) if wrapped else start.rstrip())


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr; yields what to call with the number of steps done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda steps: bar.update(task, advance=steps)
