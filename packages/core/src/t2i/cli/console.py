"""How the command line speaks: results on stdout, everything else on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


def say(message: str) -> None:
    """A line for the person, on stderr."""
    print(message, file=sys.stderr)


def warn(message: str) -> None:
    """Something that is not as it should be, on stderr."""
    say(f"warning: {message}")


def fail(message: str) -> int:
    """The one line of an error, on stderr; returns the exit code. Of a run's processes, all but the first say which."""
    process = os.environ.get("RANK", "0")
    say(f"error{'' if process == '0' else f' in process {process}'}: {' '.join(message.split())}")
    return 2


@contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr; yields what to call with the number of steps done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda steps: bar.update(task, advance=steps)
