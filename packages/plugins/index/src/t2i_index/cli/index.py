"""`t2i index`: manage the index."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import progress, report, report_json, say, warn
from t2i.cli.options import EngineOption
from t2i.engine import OneProcess
from t2i.errors import InvalidInputError
from t2i_index.filters import parse_since
from t2i_index.location import index_location, recording_location, switch_recording

index = typer.Typer(help="Manage the index of everything drawn and written.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@index.command()
def info(as_json: Json = False) -> None:
    """Show where the index is, how many records it has, and whether pictures are recorded."""
    from t2i_index.index import open_store

    facts = open_store(index_location()).facts()
    facts["recording"] = "on" if recording_location() else "off"
    if as_json:
        report_json({key.replace(" ", "_"): value for key, value in facts.items()})
        return
    for key, value in facts.items():
        shown = ", ".join(f"{part} {count}" for part, count in value.items()) if isinstance(value, dict) else value
        report(f"{key + ':':<22}{f'{shown:,}' if isinstance(shown, int) else shown}")


@index.command()
def on() -> None:
    """Record the pictures that the command line draws (the default), except with --engine or into s3://."""
    switch_recording(True)
    say(f"pictures are recorded in {recording_location()}")


@index.command()
def off() -> None:
    """Stop recording; existing records can still be searched."""
    switch_recording(False)
    say("pictures are not recorded; `t2i index on` records them again")


@index.command()
def add(
    folder: Annotated[Path, typer.Argument(help="A folder or a file of pictures and texts.")],
    engine: EngineOption = None,
) -> None:
    """Add older pictures of t2i, A1111, InvokeAI and ComfyUI by their metadata, and text files line by line."""
    from t2i.create import create_engine
    from t2i_index.adding import add_folder
    from t2i_index.index import open_store
    from t2i_index.listener import run_name

    store = open_store(index_location())
    with OneProcess() if engine is None else create_engine(engine) as workers:
        added = add_folder(store, folder, run_name(os.getpid()), progress, warn, workers)
    by = ", ".join(f"{count:,} of {source}" for source, count in added.new.items() if count)
    say(f"{added.new.total():,} added{f' ({by})' if by else ''}, {added.known:,} known already")
    if added.unknown:
        say(f"{added.unknown:,} pictures have no metadata that say what was drawn")


@index.command()
def score(
    record: Annotated[int, typer.Argument(help="The record's id, as --json shows it.")],
    value: Annotated[float, typer.Argument(help="Any number; higher is better.")],
) -> None:
    """Give a picture or a text a score, which `t2i search --min-score` reads."""
    from t2i_index.index import open_store

    store = open_store(index_location())
    if not store.records([record]):
        raise InvalidInputError(f"There is no record {record}. `t2i search --json` shows ids.")
    store.set_score(record, value)


@index.command()
def prune(
    before: Annotated[str | None, typer.Option(help="Also remove records older than a date or an age (2w).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many would be removed.")] = False,
) -> None:
    """Remove records whose pictures are gone; no file is touched except the index."""
    from t2i_index.index import open_store

    store, limit = open_store(index_location()), parse_since(before) if before is not None else float("-inf")
    gone = [
        record.id
        for record in store.all()
        if record.time < limit or (record.kind == "picture" and not os.path.lexists(record.path))
    ]
    if not dry_run:
        store.remove(gone)
    say(f"{len(gone):,} records {'would be' if dry_run else 'were'} removed")


@index.command()
def export(out: Annotated[Path, typer.Argument(help="A .jsonl or .parquet file.")]) -> None:
    """Write every record for other programs."""
    from t2i_index.export import check_suffix
    from t2i_index.export import export as write
    from t2i_index.index import open_store

    check_suffix(out)
    say(f"{out}: {write(open_store(index_location()).all(), out):,} records")


@index.command()
def check() -> int:
    """Check the index for damage; exits with 1 if there is any."""
    from t2i_index.index import open_store

    store = open_store(index_location())
    flaws = store.check()
    missing = sum(record.kind == "picture" and not os.path.lexists(record.path) for record in store.all())
    for flaw in flaws:
        report(flaw)
    if missing:
        say(f"{missing:,} pictures are not where they were written; `t2i index prune` removes their records")
    if not flaws:
        say(f"{store.where} has no damage")
    return 1 if flaws else 0


@index.command()
def rebuild() -> None:
    """Rebuild the files that searches use: the index of words, and the nearest-neighbour files."""
    from t2i_index.index import open_store

    store = open_store(index_location())
    store.rebuild(progress)
    say(f"{store.where} was rebuilt")
