"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LanguageModelOption = Annotated[
    str, typer.Option("--lm", help="Language model: smollm2, hf:ORG/MODEL[@REVISION], hf:FOLDER or openai:URL#MODEL.")
]
SeedOption = Annotated[int, typer.Option(help="The same seed gives the same result.", min=0)]
OutOption = Annotated[Path | None, typer.Option("-o", "--out", help="A text file to write. Default: print.")]
WildcardsOption = Annotated[
    Path | None, typer.Option(help="The folder in which NAME.txt has the options of __NAME__, one per line.")
]
