"""`t2i interpolate`: what lies between two captions, two seeds, or both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from t2i.cli.console import say
from t2i.cli.generate import parse_option
from t2i.errors import InvalidInputError, OutputError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

MILLISECONDS = 80  # a frame of the GIF


def interpolate(
    prompt: Annotated[str, typer.Argument(metavar="FROM", help="The first picture's caption.")],
    to: Annotated[str | None, typer.Argument(metavar="TO", help="The last one's. Default: the same.")] = None,
    model: Annotated[
        str, typer.Option(help="technique[.tag], a run folder, local-dir:PATH or hf-hub:ORG/REPO[@REVISION].")
    ] = "cvae",
    seed: Annotated[int | None, typer.Option(help="The first picture's. Default: random.")] = None,
    to_seed: Annotated[int | None, typer.Option(help="The last one's. Default: the same.")] = None,
    frames: Annotated[int, typer.Option(help="Pictures, both ends included.")] = 9,
    out: Annotated[Path, typer.Option("-o", "--out", help="strip.png, or a .gif that walks there and back.")] = Path(
        "strip.png"
    ),
    option: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="An option of the technique's own.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or mps. Default: the accelerator.")] = None,
) -> None:
    """Walk from one picture to another: between two captions, two seeds (--to-seed), or both."""
    kind = out.suffix.lower()
    if kind not in (".png", ".gif"):
        raise OutputError(f"A walk is written as .png or .gif, but {out} is neither. Try {out.with_suffix('.gif')}.")
    if to is None and to_seed is None:
        raise InvalidInputError("A walk leads somewhere, but neither a second caption nor --to-seed came. Give one.")
    for name, value in (("--seed", seed), ("--to-seed", to_seed)):
        if value is not None and value < 0:
            raise InvalidInputError(f"A seed is 0 or more, but {name} {value} came.")
    from t2i.drawing import abilities
    from t2i.drawing.pipeline import pipeline
    from t2i.files import write_atomic
    from t2i.seeds import choose_seeds

    pipe = pipeline(model, device=device)
    start = choose_seeds(seed, 1)[0]
    end = start if to_seed is None else to_seed
    options = dict(map(parse_option, option or []))
    pictures = abilities.interpolate(pipe, [prompt, to or prompt], [start, end], frames, **options)
    scale = max(1, 128 // pictures[0].width)
    write_atomic(out, strip(pictures, scale) if kind == ".png" else gif(pictures, scale))
    say(f"{out} (seeds {start} to {end})")


def strip(pictures: list[Picture], scale: int) -> bytes:
    """The pictures side by side, as PNG."""
    from t2i.drawing.provenance import png_bytes
    from t2i.images import grid

    return png_bytes(grid(pictures, columns=len(pictures), scale=scale))


def gif(pictures: list[Picture], scale: int) -> bytes:
    """There and back again, for ever, as GIF."""
    import io

    from PIL import Image

    size = (pictures[0].width * scale, pictures[0].height * scale)
    first, *others = [picture.resize(size, Image.Resampling.NEAREST) for picture in pictures]
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=[*others, *others[-2::-1]], duration=MILLISECONDS, loop=0)
    return buffer.getvalue()
