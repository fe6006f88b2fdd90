"""`t2i reference`: compare a run's losses with its recipe's reference, or write a reference from a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import report, say

reference = typer.Typer(help="Compare a run's losses with its recipe's reference, or write that.", no_args_is_help=True)

Run = Annotated[Path, typer.Argument(help="A run folder.")]


@reference.command()
def compare(run: Run) -> None:
    """Compare a run's losses and settings with its recipe's reference; writes RUN/reference.png."""
    from t2i.training.report import reference as curves

    report(*curves.compare(run).splitlines())


@reference.command()
def write(
    run: Run,
    out: Annotated[Path, typer.Argument(help="The new file: NAME.reference.jsonl, next to the recipe NAME.yaml.")],
) -> None:
    """Write a finished run's losses as its recipe's reference."""
    from t2i.training.report import reference as curves

    curves.write_reference(run, out)
    say(f"{out}: the losses of {run}")
