"""`t2i train`: a run folder from a technique and a dataset, or the rest of an interrupted run."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import progress, say, warn
from t2i.errors import InvalidInputError


def train(
    technique: Annotated[str | None, typer.Argument(help="What to train, such as cgan (see `t2i models`).")] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SECTION.FIELD=VALUE]...", help="Settings, such as train.batch_size=32."),
    ] = None,
    data: Annotated[str | None, typer.Option(help="A dataset's name, or a folder of captioned pictures.")] = None,
    out: Annotated[Path | None, typer.Option(help="The new run folder.")] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run, exactly where it stopped.")] = None,
    recipe: Annotated[str | None, typer.Option(help="A recipe of the technique, or a YAML file.")] = None,
    steps: Annotated[int | None, typer.Option(help="How many steps the whole run has.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Of everything random in the run.")] = None,
    strict: Annotated[bool, typer.Option(help="Refuse a dataset with any flawed picture.")] = False,
    device: Annotated[str | None, typer.Option(help='"cpu" to leave a GPU alone.')] = None,
) -> int:
    """Train a technique on captioned pictures. The run folder is a model: t2i generate "..." --model FOLDER."""
    if resume is not None:
        given = {"TECHNIQUE": technique, "--data": data, "--out": out, "--recipe": recipe, "--seed": seed}
        extra = [name for name, value in given.items() if value is not None]
        if extra:
            raise InvalidInputError(f"--resume takes everything from the run, but {', '.join(extra)} came too.")
        from t2i.training import run

        result = run.resume(resume, steps=steps, device=device, progress=progress, warn=warn)
    else:
        if technique is None or out is None:
            raise InvalidInputError(
                "A new run needs a technique and a folder: t2i train cgan --data openmoji --out runs/a"
            )
        from t2i.training import run

        settings = run.read_recipe(technique, recipe) if recipe else {}
        flags = [f"train.{name}={value}" for name, value in (("steps", steps), ("seed", seed)) if value is not None]
        settings = run.override(settings, [*(overrides or []), *flags])
        if data is not None:
            settings["data"] = data
        if "data" not in settings:
            raise InvalidInputError("A new run needs data: --data openmoji, or --data path/to/folder")
        settings |= {"technique": technique, "strict": strict, "command": shlex.join(["t2i", *sys.argv[1:]])}
        result = run.start(settings, out, device=device, progress=progress, warn=warn)
    if not result.finished:
        say(f"Stopped at step {result.step}. Go on with: t2i train --resume {result.run}")
        return 130
    say(f'Done. Draw with it: t2i generate "..." --model {result.run}')
    return 0
