"""`t2i board`: draw variations of a prompt on one labelled sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import progress, say
from t2i.cli.options import MODEL_HELP, DeviceOption, OwnOption, check_model, parse_options
from t2i.errors import OutputError
from t2i.registry.describe import DEFAULT_MODEL
from t2i_lm.cli.options import WildcardsOption

AXIS = "such as guidance=1,3,5, seed=1..4 or model=cgan,cvae."


def board(
    template: Annotated[str, typer.Argument(help='A prompt or a template such as "a {red|blue} house".')],
    x: Annotated[str | None, typer.Option("--x", metavar="NAME=VALUES", help=f"What changes across: {AXIS}")] = None,
    y: Annotated[str | None, typer.Option("--y", metavar="NAME=VALUES", help=f"What changes downwards: {AXIS}")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="The PNG file to write.")] = Path("board.png"),
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = DEFAULT_MODEL,
    seed: Annotated[int, typer.Option(help="Seed of every picture, unless an axis changes it.", min=0)] = 0,
    wildcards: WildcardsOption = None,
    option: OwnOption = None,
    device: DeviceOption = None,
) -> None:
    """Draw a board: a sheet (.png), a page (.html), and a folder with each cell's picture and provenance."""
    if out.suffix.lower() != ".png":
        raise OutputError(f"The board is written as .png, but {out} is not. Try {out.with_suffix('.png')}.")
    check_model(model)
    from t2i_lm.board import Axis
    from t2i_lm.board import board as draw
    from t2i_lm.templates import Template

    across, down = (Axis.parse(text) if text is not None else None for text in (x, y))
    prompts = list(Template.parse(template, wildcards).all())
    chosen = parse_options(option)
    paths = draw(prompts, across, down, out, model=model, seed=seed, options=chosen, device=device, progress=progress)
    say(f"{out}, {out.with_suffix('.html')}: {len(paths)} pictures, each in {out.with_suffix('')}/")
