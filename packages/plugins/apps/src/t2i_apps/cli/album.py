"""`t2i album`: show pictures of several folders on one page, with notes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from t2i.cli.console import say
from t2i.cli.options import ForceOption, check_new_file


def album(
    sources: Annotated[
        list[Path], typer.Argument(metavar="FOLDER|PICTURE...", help="Folders of boards or of t2i generate; pictures.")
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The .html file to write.")] = Path("album.html"),
    title: Annotated[str, typer.Option(help="Title of the page.")] = "Album",
    note: Annotated[str, typer.Option(help="A note on the page.")] = "",
    force: ForceOption = False,
) -> None:
    """Show pictures on one page that needs no other file, each with the commands that draw it again or vary it. Notes
    are text files: note.txt in a folder, NAME.txt next to NAME.png."""
    check_new_file(out, (".html",), force)
    from t2i_apps.boards.album import album as write

    count = write(sources, out, title=title, note=note)
    say(f"{out}: {count} pictures")
