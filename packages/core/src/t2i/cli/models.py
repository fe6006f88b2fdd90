"""`t2i models`: what can draw here, and what could be installed."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from t2i.cli.console import warn
from t2i.registry.models import list_models, model_info
from t2i.registry.plugins import registry


def models(
    filter: Annotated[str, typer.Argument(help="A part of the name, or a pattern with * and ?.")] = "",  # noqa: A002
    pretrained: Annotated[bool, typer.Option(help="Only those with weights.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List techniques, installed or not, and their pretrained weights."""
    infos = [model_info(name) for name in list_models(filter, installed=False)]
    infos = [info for info in infos if info.weights or not pretrained]
    if as_json:
        print(json.dumps([asdict(info) for info in infos], indent=2, default=str))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "kind", "weights", "dataset", "px", "licence", "size", "what", box=None, pad_edge=False)
    for info in infos:
        what = info.summary if info.installed else f"{info.summary} ({info.remedy})"
        rows: list[tuple[Any, ...]] = [("", "", "", "", "")]
        rows = [
            (f".{w.tag}", w.dataset, str(w.resolution), w.license, f"{w.size_bytes / 2**20:.1f} MiB")
            for w in info.weights
        ] or rows
        for number, row in enumerate(rows):
            table.add_row(*(("", "") if number else (info.name, info.kind)), *row, "" if number else what)
    Console().print(table)
    for plugin in registry().plugins:
        if plugin.state != "ok":
            warn(f"the plugin {plugin.name!r} is {plugin.state}; `t2i doctor` says why")
