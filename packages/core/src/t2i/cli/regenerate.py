"""`t2i regenerate`: draw a picture again from its provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import say, warn
from t2i.cli.options import PICTURES, ForceOption, check_new_file


def regenerate(
    picture: Annotated[Path, typer.Argument(help="A picture written by t2i generate.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            help="The regenerated picture. Default: again.png, or again.jpg or again.webp for such a picture.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A model with the same weights. Default: the model named in the picture.")
    ] = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Download the model that the picture names if it is not on this machine.")
    ] = False,
    device: Annotated[str | None, typer.Option(help="Device to run on. Default: the one it was drawn on.")] = None,
    force: ForceOption = False,
) -> int:
    """Draw a picture again from its own provenance; exits with 1 if the result differs."""
    out = out or Path("again").with_suffix(picture.suffix if picture.suffix.lower() in PICTURES else PICTURES[0])
    check_new_file(out, PICTURES, force)
    from t2i.drawing.regenerate import regenerate

    again = regenerate(picture, model=model, device=device, fetch=fetch, warn=warn)
    again.picture.save(out)
    if again.difference:
        warn(f"{out} differs from {picture} by up to {again.difference} of 255")
        return 1
    say(f"{out}: the same picture")
    return 0
