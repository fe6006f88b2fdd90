"""Declares the verbs `index` and `search`, and records pictures and texts; imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from t2i.registry import CommandSpec, hookimpl
from t2i.registry.specs import load_target

if TYPE_CHECKING:
    from t2i.drawing.picture import Picture
    from t2i.language import LanguageModelIdentity

T2I_API = 1


@hookimpl
def t2i_commands() -> list[CommandSpec]:
    """Declare the verbs."""
    return [
        CommandSpec("search", "t2i_index.cli.search:search", "Find pictures and texts made earlier."),
        CommandSpec("index", "t2i_index.cli.index:index", "Manage the index of everything drawn and written."),
    ]


@hookimpl
def t2i_picture_written(path: Path, picture: Picture) -> None:
    """Record the picture if it asks for it and the index is on."""
    if picture.record:
        load_target("t2i_index.listener:picture_written")(path, picture)  # imports NumPy


@hookimpl
def t2i_texts_written(
    question: str, texts: Sequence[str], model: LanguageModelIdentity, seed: int | None, picture: Path | None
) -> None:
    """Record what a language model wrote, if the index is on."""
    load_target("t2i_index.listener:texts_written")(question, texts, model, seed, picture)
