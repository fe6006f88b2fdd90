"""`t2i interpolate`: pictures between two captions, two seeds, or both."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import say
from t2i.cli.options import (
    DeviceOption,
    ForceOption,
    ModelOption,
    OwnOption,
    check_device,
    check_model,
    check_new_file,
    parse_options,
)
from t2i.errors import InvalidInputError
from t2i.seeds import check_seed, choose_seeds


def interpolate(
    prompt: Annotated[str, typer.Argument(metavar="FROM", help="The first picture's caption.")],
    to: Annotated[
        str | None, typer.Argument(metavar="TO", help="The last picture's caption. Default: the first one's.")
    ] = None,
    model: ModelOption = "cvae",
    seed: Annotated[int | None, typer.Option(help="Seed of the first picture. Default: random.")] = None,
    to_seed: Annotated[int | None, typer.Option(help="Seed of the last picture. Default: the first one's.")] = None,
    frames: Annotated[int, typer.Option(help="Number of pictures, both ends included.")] = 9,
    out: Annotated[
        Path, typer.Option("-o", "--out", help="A .png file with all pictures side by side, or a .gif.")
    ] = Path("strip.png"),
    option: OwnOption = None,
    force: ForceOption = False,
    device: DeviceOption = None,
) -> None:
    """Draw the pictures between two captions, two seeds (--to-seed), or both."""
    check_new_file(out, (".gif", ".png"), force)
    if to is None and to_seed is None:
        raise InvalidInputError("Interpolation needs a second caption or --to-seed, got neither. Give one.")
    for name, value in (("--seed", seed), ("--to-seed", to_seed)):
        if value is not None:
            check_seed(value, name)
    check_model(model)
    chosen = parse_options(option, model)
    check_device(device)
    from t2i.drawing.abilities import interpolate
    from t2i.drawing.pipeline import pipeline
    from t2i.drawing.walk import gif, strip
    from t2i.files import write_atomic

    artist = pipeline(model, device=device)
    start = choose_seeds(seed, 1)[0]
    end = start if to_seed is None else to_seed
    options = artist.options(**chosen)
    pictures = interpolate(artist, [prompt, to or prompt], [start, end], frames, options)
    write_atomic(out, strip(pictures) if out.suffix.lower() == ".png" else gif(pictures))
    say(f"{out} (seeds {start} to {end})")
