"""Finds the plugin that draws with a model that is not a snapshot of ours."""

from __future__ import annotations

import os
from collections.abc import Callable, Set
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
    specs = [spec for spec, _ in registry().all(ArtistSpec)]
    present = _present(name, {spec.marker for spec in specs}) if specs else set()
    able = [spec for spec in specs if spec.marker in present]
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


def _present(name: ModelName, markers: Set[str]) -> Set[str]:
    """Those of the files `markers` that the model has."""
    if name.kind == "folder":
        return {marker for marker in markers if _is_file(name.folder / marker)}
    from t2i.hub.listing import files_among

    try:
        return files_among(name.repo, name.revision, markers)
    except T2IError:  # whoever opens the model next reports it
        return set()


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 (Path.is_file raises on a name too long for the disk)
