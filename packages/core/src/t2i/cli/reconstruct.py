"""`t2i reconstruct`: encode a picture with a model and decode it again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import say, warn
from t2i.cli.options import DeviceOption, ForceOption, ModelOption, check_device, check_model, check_new_file
from t2i.errors import DataError, InvalidInputError


def reconstruct(
    picture: Annotated[Path, typer.Argument(help="Picture to reconstruct; its middle square is used.")],
    prompt: Annotated[str, typer.Option(help="The picture's caption; some techniques ignore it.")],
    model: ModelOption = "cvae",
    out: Annotated[Path, typer.Option("-o", "--out", help="The reconstructed picture.")] = Path("reconstructed.png"),
    force: ForceOption = False,
    device: DeviceOption = None,
) -> None:
    """Encode a picture with a model and decode it again, to see what the model keeps of it."""
    check_new_file(out, (".png",), force)
    if not picture.is_file():
        raise InvalidInputError(f"There is no picture at {picture}.")
    check_model(model)
    check_device(device)
    from t2i.data.decode import decode_picture
    from t2i.drawing.abilities import reconstruct
    from t2i.drawing.pipeline import pipeline
    from t2i.drawing.provenance import png_bytes
    from t2i.files import write_atomic

    artist = pipeline(model, device=device)
    try:
        square, note = decode_picture(picture, artist.resolution)
    except DataError as error:
        raise InvalidInputError(f"{picture} cannot be read: {error}.") from None
    if note:
        warn(f"{picture}: {note}")
    write_atomic(out, png_bytes(reconstruct(artist, square, prompt)))
    say(f"{out}")
