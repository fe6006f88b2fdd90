"""Declares the artist and its well-known models; imports no torch."""

from __future__ import annotations

from t2i.registry import ArtistSpec, HubModelSpec, hookimpl
from t2i_diffusers.catalogue import ARTIST, MODELS

T2I_API = 1


@hookimpl
def t2i_artists() -> list[ArtistSpec]:
    """Declare the artist."""
    return [
        ArtistSpec(
            name=ARTIST,
            target="t2i_diffusers.artist:open_artist",
            marker="model_index.json",
            tiny="t2i_diffusers.tiny:write_tiny",
            summary="pipelines of diffusers that draw from text",
        )
    ]


@hookimpl
def t2i_hub_models() -> list[HubModelSpec]:
    """Declare the well-known models."""
    return MODELS
