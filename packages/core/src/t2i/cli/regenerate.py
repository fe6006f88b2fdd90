"""`t2i regenerate`: a picture again, from what it says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import say, warn
from t2i.errors import OutputError


def regenerate(
    picture: Annotated[Path, typer.Argument(help="A PNG written by t2i generate.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The picture made again.")] = Path("again.png"),
    model: Annotated[
        str | None, typer.Option(help="Where its weights are now, if not under the name it was made with.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="By default the one it was made on.")] = None,
) -> int:
    """Make a picture again from its own provenance; exits with 1 where it does not come out the same."""
    if out.suffix.lower() != ".png":
        raise OutputError(f"The picture is written as .png, but {out} is not. Try {out.with_suffix('.png')}.")
    from t2i.drawing.regenerate import regenerate

    again = regenerate(picture, model=model, device=device, warn=warn)
    again.picture.save(out)
    if again.difference:
        warn(f"{out} differs from {picture} by up to {again.difference} of 255")
        return 1
    say(f"{out}: the same picture")
    return 0
