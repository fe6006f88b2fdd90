"""`t2i models`: models that are installed, and models that can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from t2i.cli.console import report, report_json, table, warn
from t2i.registry.describe import fits, list_models, model_info
from t2i.registry.discovery import registry
from t2i.registry.specs import HubModelSpec


def models(
    filter: Annotated[str, typer.Argument(help="Part of the names to list, or a pattern with * and ?.")] = "",  # noqa: A002
    pretrained: Annotated[bool, typer.Option(help="List only models with pretrained weights.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List techniques, installed or not, and their pretrained weights."""
    infos = [model_info(name) for name in list_models(filter, installed=False)]
    infos = [info for info in infos if info.weights or not pretrained]
    if as_json:
        report_json([asdict(info) for info in infos])
        return
    here, elsewhere = ([info for info in infos if info.installed is installed] for installed in (True, False))
    _print(["model", "kind", "what"], [[info.name, info.kind, info.summary] for info in here])
    _print(
        ["pretrained", "dataset", "px", "size", "licence"],
        [
            [w.name, w.dataset, str(w.resolution), f"{w.size_bytes / 2**20:.1f} MiB", w.license]
            for info in here
            for w in info.weights
        ],
    )
    _print(
        ["on the Hub", "px", "download", "licence", "what"],
        [
            [spec.name, str(spec.resolution), f"{spec.size_bytes / 1e9:.1f} GB", spec.license, spec.summary]
            for spec, _ in registry().all(HubModelSpec)
            if fits(spec.name, filter)
        ],
    )
    _print(["not installed", "what", "get it with"], [[info.name, info.summary, info.remedy] for info in elsewhere])
    for plugin in registry().plugins:
        if plugin.state != "ok":
            warn(f"the plugin {plugin.name!r} is {plugin.state}; `t2i doctor` says why")


def _print(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table and an empty line; nothing if it has no rows."""
    table(head, rows)
    if rows:
        report("")
