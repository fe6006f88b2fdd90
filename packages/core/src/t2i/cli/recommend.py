"""`t2i recommend`: the settings that `t2i train` would choose, without training."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from t2i.cli.console import doing, report, report_json, table
from t2i.registry.describe import DEFAULT_TECHNIQUE


def recommend(
    data: Annotated[str, typer.Argument(help="A dataset's name, or a folder of captioned pictures.")],
    technique: Annotated[str, typer.Argument(help="The technique to train (see `t2i models`).")] = DEFAULT_TECHNIQUE,
    time: Annotated[str, typer.Option(help="How long the run may take on this machine, such as 30m or 1h30m.")] = "30m",
    device: Annotated[str | None, typer.Option(help='Device to train on; "cpu" leaves a GPU unused.')] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Recommend settings for your pictures and this machine, with reasons; trains a few steps to measure their time."""
    from t2i.training.defaults.duration import seconds_of
    from t2i.training.recommendation import recommendation

    seconds = seconds_of(time)
    with doing("Measuring a step"):
        facts, choices = recommendation(technique, data, seconds, device)
    command = f"t2i train {technique} --data {shlex.quote(data)} --time {time} --out runs/mine"
    if as_json:
        report_json({"facts": vars(facts), "settings": [vars(choice) for choice in choices], "command": command})
        return
    report(f"{facts.pictures:,} pictures, {facts.captions:,} captions, {facts.groups:,} groups, about {facts.side} px")
    table(["setting", "why"], [[choice.assignment, choice.why] for choice in choices])
    report(f"Train with them: {command}")
