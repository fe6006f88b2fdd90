"""`t2i regenerate`: a picture again, from what it says of itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from t2i.cli.console import say, warn
from t2i.errors import IntegrityError, OutputError

if TYPE_CHECKING:
    from t2i.drawing.provenance import Provenance


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
    from PIL import Image, ImageChops

    from t2i.drawing.provenance import png_bytes, read_provenance
    from t2i.files import write_atomic

    facts = read_provenance(picture)
    from t2i.drawing.pipeline import pipeline

    pipe = pipeline(model or _pinned(facts), device=device or facts.device)
    found = pipe.snapshot.config.weights_sha256
    if found != facts.weights_sha256:
        raise IntegrityError(
            f"{picture} was drawn by weights with the sha256 {facts.weights_sha256}, but "
            f"{pipe.snapshot.name} now holds {found}. Say where the old ones are: --model FOLDER"
        )
    (again,) = pipe.stream([(facts.prompt, facts.seed)], **facts.options)
    told = again.provenance if model else replace(again.provenance, model=facts.model)
    write_atomic(out, png_bytes(again.image, told))
    for name, version in facts.versions.items():
        if again.provenance.versions.get(name) != version:
            warn(f"it was drawn with {name} {version}; this is {again.provenance.versions.get(name, 'absent')}")
    with Image.open(picture) as original:
        difference = ImageChops.difference(original.convert("RGB"), again.image)
    if difference.getbbox() is None:
        say(f"{out}: the same picture")
        return 0
    largest = max(high for _, high in difference.getextrema())  # type: ignore[misc]
    warn(f"{out} differs from {picture} by up to {largest} of 255")
    return 1


def _pinned(facts: Provenance) -> str:
    """The model at the commit it had then, wherever its branch points now."""
    if facts.revision and facts.model.startswith("hf-hub:"):
        return f"{facts.model.partition('@')[0]}@{facts.revision}"
    return facts.model
