"""`t2i board`: draw variations of a prompt, or of a picture, on one labelled sheet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from t2i.cli.console import progress, say
from t2i.cli.options import MODEL_HELP, DeviceOption, OwnOption, check_device, check_model, parse_options
from t2i.errors import InvalidInputError, OutputError
from t2i.registry.describe import DEFAULT_MODEL
from t2i_lm.cli.options import WildcardsOption

if TYPE_CHECKING:
    from t2i.drawing.artist import Artist

AXIS = "such as guidance=1,3,5, seed=1..4 or model=cgan,cvae."


def board(
    template: Annotated[
        str | None,
        typer.Argument(help='A prompt or a template such as "a {red|blue} house". Default: the prompt of --from.'),
    ] = None,
    x: Annotated[str | None, typer.Option("--x", metavar="NAME=VALUES", help=f"What changes across: {AXIS}")] = None,
    y: Annotated[str | None, typer.Option("--y", metavar="NAME=VALUES", help=f"What changes downwards: {AXIS}")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="The PNG file to write.")] = Path("board.png"),
    origin: Annotated[
        Path | None,
        typer.Option("--from", help="A picture to vary; its prompt, seed, model and options are the defaults."),
    ] = None,
    larger: Annotated[
        int | None,
        typer.Option(help="With --from: how many times as wide and high; needs a model with width and height."),
    ] = None,
    note: Annotated[str, typer.Option(help="A note on the page.")] = "",
    model: Annotated[str | None, typer.Option(help=f"{MODEL_HELP} Default: {DEFAULT_MODEL}.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of every picture, unless an axis changes it. Default: 0.", min=0)
    ] = None,
    wildcards: WildcardsOption = None,
    option: OwnOption = None,
    device: DeviceOption = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="With --from, download the model that the picture names if it is not here.")
    ] = False,
) -> None:
    """Draw a board: a sheet (.png), a page (.html), and a folder with each cell's picture and provenance. With --from
    alone, it shows the same prompt with four other seeds."""
    if out.suffix.lower() != ".png":
        raise OutputError(f"The board is written as .png, but {out} is not. Try {out.with_suffix('.png')}.")
    if template is None and origin is None:
        raise InvalidInputError('A board needs a prompt or a picture, got neither. Try: t2i board "a {red|blue} house"')
    if larger is not None and origin is None:
        raise InvalidInputError("--larger draws a picture larger. Say which one: --from PICTURE")
    if model is not None or origin is None:
        check_model(model or DEFAULT_MODEL)
    chosen = parse_options(option, model or (DEFAULT_MODEL if origin is None else ""))
    check_device(device)
    from t2i_apps.boards.board import Axis
    from t2i_apps.boards.board import board as draw
    from t2i_apps.boards.origin import Origin
    from t2i_apps.boards.origin import larger as enlarged
    from t2i_lm.templates import Template

    across, down = (Axis.parse(text) if text is not None else None for text in (x, y))
    prompts = list(Template.parse(template, wildcards).all()) if template is not None else []
    opened: dict[str, Artist] = {}
    if origin is not None:
        found = Origin.read(origin)
        prompts = prompts or [found.made.prompt]
        if not any((template, across, down, larger, model, chosen)) and seed is None:
            across = found.other_seeds
        seed = found.made.seed if seed is None else seed
        if model is None:
            artist, model = found.open(device=device, fetch=fetch), found.made.artist.name
            opened, chosen = {model: artist}, {**found.made.options, **chosen}
            chosen = enlarged(artist, chosen, larger) if larger is not None else chosen
        elif larger is not None:
            raise InvalidInputError("--larger draws with the picture's own model. Leave out --model.")
    paths = draw(
        prompts,
        across,
        down,
        out,
        model=model or DEFAULT_MODEL,
        seed=seed or 0,
        options=chosen,
        title=template or "",
        note=note,
        opened=opened,
        device=device,
        progress=progress,
    )
    say(f"{out}, {out.with_suffix('.html')}: {len(paths)} pictures, each in {out.with_suffix('')}/")
