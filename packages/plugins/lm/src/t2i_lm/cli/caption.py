"""`t2i caption`: let a model describe pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import progress, say, warn
from t2i.errors import InvalidInputError


def caption(
    folder: Annotated[Path, typer.Argument(help="A folder of pictures.")],
    lm: Annotated[
        str,
        typer.Option("--lm", help="The captioner: hf:ORG/MODEL[@REVISION] or hf:FOLDER. Default: BLIP, from the Hub."),
    ] = "hf:Salesforce/blip-image-captioning-base",
) -> None:
    """Describe each picture in a text file next to it; pictures that have one are skipped."""
    if not folder.is_dir():
        raise InvalidInputError(f"There is no folder {folder}.")
    from t2i.registry.events import texts_written
    from t2i_lm.captioning import Captioner, caption_folder

    captioner = Captioner(lm)

    def record(picture: Path, sentence: str) -> None:
        texts_written("", [sentence], captioner.identity, None, picture)

    written, kept = caption_folder(captioner, folder, described=record, progress=progress, warn=warn)
    say(f"{folder}: {written} captions written{f', {kept} were there already' if kept else ''}")
