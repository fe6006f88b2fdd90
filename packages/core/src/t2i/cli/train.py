"""`t2i train`: train a technique on a dataset into a run folder, or continue an interrupted run."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from t2i.cli.console import progress, say, warn
from t2i.cli.options import AcceptNewOption, YesOption, check_data, download_confirmed
from t2i.errors import InvalidInputError
from t2i.uncollected import uncollected

if TYPE_CHECKING:
    from t2i.training.settings import RunConfig


def train(
    technique: Annotated[
        str | None, typer.Argument(help="The technique to train, such as cgan (see `t2i models`).")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SECTION.FIELD=VALUE]...", help="Settings, such as train.batch_size=32."),
    ] = None,
    data: Annotated[str | None, typer.Option(help="A dataset's name, or a folder of captioned pictures.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The new run folder; otherwise one in runs/, named after technique and data.")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Continue this run exactly where it stopped, or with changed settings.")
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="A recipe the technique ships, or a YAML file.")] = None,
    parent: Annotated[
        str | None, typer.Option("--from", help="Fine-tune this model: a name, a run folder or hf-hub:org/repo.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A YAML file of settings that override the recipe's.")] = None,
    steps: Annotated[int | None, typer.Option(help="Number of steps of the whole run.", min=1)] = None,
    time: Annotated[
        str | None, typer.Option(help="How long the run may take on this machine, such as 30m or 1h30m.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random in the run.")] = None,
    strict: Annotated[bool, typer.Option(help="Refuse a dataset with any flawed picture.")] = False,
    caption_column: Annotated[str, typer.Option(help="The data's column of captions, if it has an unusual name.")] = "",
    image_column: Annotated[str, typer.Option(help="The data's column of pictures, if it has an unusual name.")] = "",
    device: Annotated[str | None, typer.Option(help='Device to train on; "cpu" leaves a GPU unused.')] = None,
    accept_new: AcceptNewOption = False,
    yes: YesOption = False,
    processes: Annotated[int, typer.Option(help="Number of processes on this machine that share the run.", min=1)] = 1,
) -> int:
    """Train a technique on captioned pictures. The run folder is a model: t2i generate "..." --model FOLDER."""
    changes = list(overrides or [])
    if resume is not None and technique is not None and "=" in technique:
        changes.insert(0, technique)
        technique = None
    given: dict[str, object] = {"TECHNIQUE": technique, "--data": data, "--out": out, "--recipe": recipe}
    given |= {"--from": parent, "--config": config, "--seed": seed, "--steps": steps, "--time": time}
    given |= {"--resume": resume}
    columns = {"caption_column": caption_column, "image_column": image_column}
    columns = {name: column for name, column in columns.items() if column}
    settings: dict[str, Any] | None = None
    defaults: dict[str, Any] | None = None
    seconds: float | None = None
    if resume is not None:
        given |= {f"--{name.replace('_', '-')}": column for name, column in columns.items()}
        _only_resumes(given)
    elif technique is not None or parent is not None:
        if parent is not None and technique is not None and "=" in technique:
            changes.insert(0, technique)
            technique = None
        flags = [f"train.{name}={value}" for name, value in (("steps", steps), ("seed", seed)) if value is not None]
        flags += [f"data.{name}={value}" for name, value in columns.items()]
        changes += flags
        if time is not None:
            seconds = _seconds(time, config, changes)
        is_timed = seconds is not None
        settings, defaults = _settings(technique, parent, recipe, config, data, changes, is_timed, accept_new, yes)
        settings |= {"strict": strict or settings.get("strict", False)}
    else:
        raise InvalidInputError(
            "A new run needs a technique (or --from MODEL) and data: t2i train cgan --data path/to/folder"
        )
    plan, folder = _checked(settings, defaults, resume or out)
    if processes > 1:
        arguments = sys.argv[1:] if resume or out else [*sys.argv[1:], f"--out={folder}"]  # one folder for all
        code = _launch(processes, plan, device, folder, arguments, is_new=settings is not None)
        if code is not None:
            return code

    with uncollected(all_stays=True):
        from t2i.training import run
        from t2i.training.launch import launched

    if settings is None:
        result = run.resume(folder, steps=steps, assignments=changes, device=device, progress=progress, warn=warn)
    else:
        how: dict[str, Any] = {"device": device, "progress": progress, "warn": warn, "say": say}
        result = run.start(settings, folder, defaults=defaults, seconds=seconds, **how)
    if launched()[0] == 0:
        again = f"Stopped at step {result.step}. Continue with: t2i train --resume {result.run}"
        if result.copies:
            say(result.copies)
        if result.best is not None:
            say(f"The best step on held-out pictures was {result.best:,}: --model {result.run / 'best'}")
        if result.finished and not result.step:
            return 0  # a search for the learning rate
        say(f'Done. Draw with it: t2i generate "..." --model {result.run}' if result.finished else again)
    return 0 if result.finished else 130


def _only_resumes(given: Mapping[str, object]) -> None:
    extra = [name for name, value in given.items() if value is not None and name not in ("--resume", "--steps")]
    if extra:
        raise InvalidInputError(
            f"--resume keeps the run's settings, so {', '.join(extra)} cannot be given with it. Leave out "
            f"{', '.join(extra)}; --steps and settings such as train.lr_factor=0.3 can be given."
        )


def _seconds(time: str, config: Path | None, assignments: Sequence[str]) -> float:
    """`--time` in seconds, if nothing else says how long the run is."""
    from t2i.training.defaults.duration import seconds_of
    from t2i.training.settings import override, read_settings

    train = override(read_settings(config) if config else {}, assignments).get("train")
    if isinstance(train, Mapping) and "steps" in train:
        raise InvalidInputError(
            "Give --steps or --time, not both: each says how long the run is. The setting train.steps is the same as "
            "--steps."
        )
    return seconds_of(time)


def _settings(
    technique: str | None,
    parent: str | None,
    recipe: str | None,
    config: Path | None,
    data: str | None,
    assignments: Sequence[str],
    is_timed: bool,
    accept_new: bool,
    yes: bool,
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """The settings that a person chose (the command line goes before the file, and that before the recipe), and those
    that recommended settings go before: the parent's, then the technique's own; None if a recipe was chosen."""
    from t2i.training.defaults.own import own_settings
    from t2i.training.settings import (
        merge,
        override,
        read_recipe,
        read_settings,
        without_foreign_prompts,
        without_length,
    )

    settings: dict[str, Any] = {}
    below: dict[str, Any] | None = None
    if parent is not None:
        from t2i.drawing.opening import Opening
        from t2i.training.parent import settings_from

        opening = Opening("cpu", accept_new=accept_new, confirm=download_confirmed(yes))
        below = settings_from(parent, opening)
        if technique not in (None, below["technique"]):
            raise InvalidInputError(
                f"{parent} is a {below['technique']}, so it cannot be trained as a {technique}. Leave {technique} out."
            )
        technique = below["technique"]
        if "parent" not in below:  # a model of another layout: all of these settings are chosen
            settings, below = below, None
    assert technique is not None  # given, or the parent's
    if recipe:
        settings, below = merge(below or settings, read_recipe(technique, recipe)), None
    elif not settings:
        below = merge(own_settings(technique), below or {})
    base = settings = without_length(settings) if is_timed else settings
    if config is not None:
        settings = merge(settings, read_settings(config))
    settings = override(merge(settings, {"data": data} if data is not None else {}), assignments)
    settings = without_foreign_prompts(settings, base)
    if not settings.get("data"):
        raise InvalidInputError("A new run needs data: --data openmoji, or --data path/to/folder")
    command = shlex.join(["t2i", *sys.argv[1:]])
    return settings | {"technique": technique, "recipe": recipe or "", "command": command}, below


def _checked(
    settings: Mapping[str, Any] | None, defaults: Mapping[str, Any] | None, folder: Path | None
) -> tuple[RunConfig, Path]:
    """The settings of the run and its folder, with what can be known of them checked before torch is imported."""
    from t2i.training.launch import launched
    from t2i.training.settings import check_new, checked, free_folder, merge, read_run

    if settings is None:
        assert folder is not None  # the run to resume
        return read_run(folder), folder
    config = checked(merge(defaults or {}, settings))
    if folder is None:
        if launched()[1] > 1:  # each would choose a folder of its own
            raise InvalidInputError("A run of several processes needs one folder for all: add --out runs/NAME.")
        folder = free_folder(config)
        say(f"The run's folder: {folder}")
    check_new(folder)
    check_data(config.data.source)
    return config, folder


def _launch(
    processes: int, config: RunConfig, device: str | None, folder: Path, arguments: Sequence[str], *, is_new: bool
) -> int | None:
    """Run this command, with `arguments`, in several processes and return the exit code; None if it already runs so."""
    from t2i.training.launch import launch, launched

    _, already = launched()
    if already > 1:
        if already != processes:
            raise InvalidInputError(
                f"A launcher made {already} processes, but --processes {processes} was given. Leave --processes out."
            )
        return None
    from t2i.runs.lock import locked
    from t2i.training.accelerator import check_possible

    if not is_new:
        with locked(folder):
            pass  # one clear error here, not one from each process
    check_possible(config.train, device, processes)
    return launch(processes, arguments)
