"""Declares the verbs; imports no torch."""

from __future__ import annotations

from t2i.registry import CommandSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_commands() -> list[CommandSpec]:
    """Declare the verbs."""
    return [
        CommandSpec("products", "t2i_apps.cli.products:products", "Draw a picture for each row of a table."),
        CommandSpec("story", "t2i_apps.cli.story:story", "Make an illustrated book from a text."),
        CommandSpec("board", "t2i_apps.cli.board:board", "Draw variations of a prompt or a picture on one sheet."),
        CommandSpec("album", "t2i_apps.cli.album:album", "Show pictures of several folders on one page, with notes."),
    ]
