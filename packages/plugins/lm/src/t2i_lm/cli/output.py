"""Prints lines as they are made, or writes them to a file when all are made."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from t2i.cli.console import report, say


def put_out(lines: Iterable[str], out: Path | None) -> list[str]:
    """Print lines as they are made, or write them to `out`, completely or not at all; returns them.

    Raises:
        OutputError: the file cannot be written.
    """
    from t2i.files import write_atomic

    done = []
    for line in lines:
        done.append(line)
        if out is None:
            report(line)
    if out is not None:
        write_atomic(out, "".join(f"{line}\n" for line in done).encode())
        say(f"{out}: {len(done)} prompts")
    return done
