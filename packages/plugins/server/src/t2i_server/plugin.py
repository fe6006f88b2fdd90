"""Declares the verb `serve`; imports no torch and no web framework."""

from __future__ import annotations

from t2i.registry import CommandSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_commands() -> list[CommandSpec]:
    """Declare the verb."""
    return [CommandSpec("serve", "t2i_server.cli.serve:serve", "Serve models: a page, and the OpenAI images API.")]
