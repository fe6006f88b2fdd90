"""`t2i reference`: a run's losses beside those of the recipe it began with, and a recipe's own made from a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import say

reference = typer.Typer(help="Compare a run's losses with its recipe's, or write a recipe's.", no_args_is_help=True)

Run = Annotated[Path, typer.Argument(help="A run folder.")]


@reference.command()
def compare(run: Run) -> None:
    """Print a run's losses beside its recipe's reference, and every setting that differs; write RUN/reference.png."""
    from t2i.training.report import reference as curves

    print(curves.compare(run))


@reference.command()
def write(
    run: Run,
    out: Annotated[Path, typer.Argument(help="The new file, NAME.reference.jsonl beside the recipe NAME.yaml.")],
) -> None:
    """Make a finished run's losses the reference of its recipe."""
    from t2i.training.report import reference as curves

    curves.write_reference(run, out)
    say(f"{out}: the losses of {run}")
