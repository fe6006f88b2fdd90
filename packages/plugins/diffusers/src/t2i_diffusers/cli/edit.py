"""`t2i edit`: change a picture, fill a part of it, or enlarge it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import say
from t2i.cli.options import (
    PICTURES,
    AcceptNewOption,
    DeviceOption,
    ForceOption,
    LoraOption,
    MemoryOption,
    ModelOption,
    OwnOption,
    YesOption,
    check_device,
    check_model,
    check_new_file,
    open_artist,
    parse_options,
)
from t2i.errors import InvalidInputError
from t2i.seeds import choose_seeds


def edit(
    picture: Annotated[Path, typer.Argument(help="The picture: PNG, JPEG or WebP.")],
    prompt: Annotated[str, typer.Argument(help="What the result shows.")],
    model: ModelOption = "sd-turbo",
    mask: Annotated[
        Path | None, typer.Option(help="A picture that is white where to redraw, and black where to keep.")
    ] = None,
    enlarge: Annotated[
        int | None, typer.Option(metavar="2|3|4", help="Make the picture this many times larger.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the new parts. Default: random.")] = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="The edited picture.")] = Path("edited.png"),
    option: OwnOption = None,
    force: ForceOption = False,
    device: DeviceOption = None,
    memory: MemoryOption = "auto",
    lora: LoraOption = None,
    accept_new: AcceptNewOption = False,
    yes: YesOption = False,
) -> None:
    """Change a picture by a prompt, redraw a part of it (--mask), or enlarge it (--enlarge)."""
    check_new_file(out, PICTURES, force)
    check_model(model)
    check_device(device)
    if mask is not None and enlarge is not None:
        raise InvalidInputError("A picture is either filled (--mask) or enlarged (--enlarge), got both. Give one.")
    from t2i.drawing.artist import Request
    from t2i_diffusers.edit import Editor, read_picture

    source, where = read_picture(picture), read_picture(mask) if mask is not None else None
    how = "inpainting" if mask is not None else "enlarging" if enlarge is not None else "image-to-image"
    artist = open_artist(model, device, memory, lora, accept_new, yes)
    editor = Editor(artist, how)
    options = editor.options(**parse_options(option))
    request = Request(prompt, choose_seeds(seed, 1)[0])
    edited = editor.edit(source, request, options, mask=where, times=enlarge or 1)
    edited.save(out)
    say(f"{out} (seed {edited.seed})")
