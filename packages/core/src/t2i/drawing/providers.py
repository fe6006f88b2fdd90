"""Finds the plugin that draws with a model that is not a snapshot of ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from t2i.drawing.artist import Artist
from t2i.drawing.opening import Opening
from t2i.errors import NameClashError, T2IError
from t2i.registry.discovery import registry
from t2i.registry.names import ModelName
from t2i.registry.specs import ArtistSpec, load_target

Provider = Callable[[ModelName, Opening], Artist]
"""(the model's name, how to open it) -> the artist."""


def artist_spec_of(name: ModelName) -> ArtistSpec | None:
    """The artist that draws with the named model, recognised by a file in its folder or repository.

    Returns:
        None if no plugin knows it, or if its repository cannot be reached.

    Raises:
        UnknownNameError: it is a short name, and its artist is not installed.
        NameClashError: several plugins know it.
    """
    if name.known is not None:
        return registry().get(ArtistSpec, name.known.artist)[0]
    if name.kind == "registered":
        return None
    able = [spec for spec, _ in registry().all(ArtistSpec) if _has(name, spec.marker)]
    if len(able) > 1:
        names = " and ".join(spec.name for spec in able)
        raise NameClashError(f"A model belongs to one artist, but {name} is claimed by {names}. Uninstall one.")
    return able[0] if able else None


def provider_of(name: ModelName) -> Provider | None:
    """What opens the named model; None if it is a snapshot of ours, or no plugin knows it.

    Raises:
        UnknownNameError, NameClashError: as `artist_spec_of`.
        PluginError: the provider cannot be imported.
    """
    spec = artist_spec_of(name)
    if spec is None:
        return None
    provider: Provider = load_target(spec.target)
    return provider


def _has(name: ModelName, marker: str) -> bool:
    """Whether the model has the file `marker`."""
    if name.kind == "folder":
        return _is_file(name.folder / marker)
    from t2i.hub.listing import has_file

    try:
        return has_file(name.repo, name.revision, marker)
    except T2IError:  # whoever opens the model next reports it
        return False


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 (Path.is_file raises on a name too long for the disk)
