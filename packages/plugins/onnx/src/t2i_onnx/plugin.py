"""Declares the artist that draws with exported folders, and the verb `export`; imports no torch."""

from __future__ import annotations

from t2i.registry import ArtistSpec, CommandSpec, hookimpl

T2I_API = 1


@hookimpl
def t2i_artists() -> list[ArtistSpec]:
    """Declare the artist."""
    return [
        ArtistSpec(
            name="onnx",
            target="t2i_onnx.artist:open_artist",
            marker="onnx.json",
            tiny="t2i_onnx.tiny:write_tiny",
            summary="models that `t2i export` wrote as ONNX graphs",
        )
    ]


@hookimpl
def t2i_commands() -> list[CommandSpec]:
    """Declare the verb."""
    return [CommandSpec("export", "t2i_onnx.cli.export:export", "Write a model as ONNX graphs, to draw without torch.")]
