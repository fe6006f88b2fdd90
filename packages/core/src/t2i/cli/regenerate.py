"""`t2i regenerate`: draw a picture again from its provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import say, warn
from t2i.errors import OutputError


def regenerate(
    picture: Annotated[Path, typer.Argument(help="A PNG written by t2i generate.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The regenerated picture.")] = Path("again.png"),
    model: Annotated[
        str | None, typer.Option(help="The model with its weights. Default: the model named in the picture.")
    ] = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Download the model that the picture names if it is not on this machine.")
    ] = False,
    device: Annotated[str | None, typer.Option(help="Device to run on. Default: the one it was drawn on.")] = None,
) -> int:
    """Draw a picture again from its own provenance; exits with 1 if the result differs."""
    if out.suffix.lower() != ".png":
        raise OutputError(f"The picture is written as .png, but {out} is not. Try {out.with_suffix('.png')}.")
    from t2i.drawing.regenerate import regenerate

    again = regenerate(picture, model=model, device=device, fetch=fetch, warn=warn)
    again.picture.save(out)
    if again.difference:
        warn(f"{out} differs from {picture} by up to {again.difference} of 255")
        return 1
    say(f"{out}: the same picture")
    return 0
