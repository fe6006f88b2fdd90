"""`t2i cache`: show and remove entries of t2i's cache."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from t2i.cli.console import report, report_json, say, table
from t2i.errors import InvalidInputError

if TYPE_CHECKING:
    from t2i.cache import Entry

cache = typer.Typer(help="Show t2i's cache on this machine, and remove unused entries.", no_args_is_help=True)


@cache.command()
def info(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the entries' sizes, and when they were last used."""
    from t2i.cache import KINDS, entries
    from t2i.files import cache_home

    kinds = {kind: list(group) for kind, group in groupby(entries(), key=lambda entry: entry.kind)}
    downloads, hub_bytes = _downloads()
    if as_json:
        found = {kind: [_as_json(entry) for entry in group] for kind, group in kinds.items()}
        hub = {"folder": downloads, "size_bytes": hub_bytes}
        report_json({"folder": str(cache_home()), "kinds": found, "hugging_face": hub})
        return
    rows = [
        [kind, str(len(group)), _mib(sum(e.size_bytes for e in group)), _day(group[0].used), KINDS.get(kind, "")]
        for kind, group in kinds.items()
    ]
    table(["kind", "entries", "MiB", "last used", "what"], rows)
    say(f"In {cache_home()}; entries are recreated when they are needed. Remove old entries with `t2i cache prune`.")
    say(f"Downloads, {_mib(hub_bytes)} MiB, are in {downloads}. `hf cache` shows and removes them.")


@cache.command()
def prune(
    days: Annotated[float, typer.Option(help="Remove entries that were not used for this many days.", min=0)] = 30.0,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind, such as packs; repeatable.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Also remove entries that were used recently.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List what would be removed, and remove nothing.")] = False,
) -> None:
    """Remove entries that were not used for a month; they are recreated when they are needed."""
    from t2i.cache import entries
    from t2i.cache import prune as remove

    known = sorted({entry.kind for entry in entries()})
    unknown = sorted(set(kind or ()) - set(known))
    if unknown:
        raise InvalidInputError(
            f"--kind must be one that the cache has ({', '.join(known) or 'it is empty'}), got {', '.join(unknown)}."
        )
    removed = remove(0 if everything else days, kind or (), dry_run=dry_run)
    for entry in removed:
        report(f"{entry.path} ({_mib(entry.size_bytes)} MiB, last used {_day(entry.used)})")
    done = "would be removed" if dry_run else "removed"
    say(f"{len(removed)} entries {done}, {_mib(sum(entry.size_bytes for entry in removed))} MiB")


def _downloads() -> tuple[str, int]:
    """The folder of huggingface_hub's downloads, and its size in bytes."""
    from huggingface_hub import constants, scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        return constants.HF_HUB_CACHE, scan_cache_dir().size_on_disk
    except CacheNotFound:
        return constants.HF_HUB_CACHE, 0


def _as_json(entry: Entry) -> dict[str, str | int]:
    used = datetime.fromtimestamp(entry.used, UTC).isoformat(timespec="seconds")
    return {"path": str(entry.path), "size_bytes": entry.size_bytes, "last_used": used}


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:,.1f}"


def _day(used: float) -> str:
    return datetime.fromtimestamp(used, UTC).date().isoformat()
