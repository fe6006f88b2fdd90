"""How far a run is: a bar on a terminal, and lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from t2i.training.defaults.duration import shown_duration

SECONDS_A_LINE = 30.0  # if stderr is no terminal


@contextmanager
def step_progress(done: int, total: int, batch_size: int, *, hidden: bool = False) -> Iterator[Callable[[], None]]:
    """Show steps, images/s and the time left on stderr, unless `hidden`; yields a function to call after each step."""
    console = Console(stderr=True, quiet=hidden)
    if not console.is_terminal:
        yield _lines(console, done, total, batch_size)
        return
    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("Training"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=console, speed_estimate_period=120, disable=hidden) as bar:
        task = bar.add_task("", total=total, completed=done, rate="")

        def advance() -> None:
            speed = bar.tasks[0].speed
            bar.update(task, advance=1, rate=f"{speed * batch_size:.0f} images/s" if speed else "")

        yield advance


def _lines(console: Console, done: int, total: int, batch_size: int) -> Callable[[], None]:
    """Print a line every SECONDS_A_LINE, with the speed since the one before."""
    at, before = time.monotonic(), done

    def advance() -> None:
        nonlocal done, at, before
        done += 1
        now = time.monotonic()
        if now - at >= SECONDS_A_LINE:
            seconds = (now - at) / (done - before)
            left = shown_duration((total - done) * seconds)
            speed = f"{batch_size / seconds:.0f} images/s"
            console.print(f"step {done:,} of {total:,}, {speed}, {left} left", soft_wrap=True, highlight=False)
            at, before = now, done

    return advance
