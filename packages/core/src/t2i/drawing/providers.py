"""Finds the plugin that draws with a model that is not a snapshot of ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from t2i.drawing.artist import Artist
from t2i.errors import NameClashError
from t2i.registry.discovery import registry
from t2i.registry.names import ModelName
from t2i.registry.specs import ArtistSpec, load_target

Provider = Callable[[ModelName, str], Artist]
"""(the model's name, device) -> the artist."""


def provider_of(name: ModelName) -> Provider | None:
    """The provider of the named folder, recognised by a file in it; None if no plugin knows it or it is not a folder.

    Raises:
        NameClashError: several plugins know it.
        PluginError: the provider cannot be imported.
    """
    if name.kind != "folder":
        return None
    able = [spec for spec, _ in registry().all(ArtistSpec) if _is_file(name.folder / spec.marker)]
    if not able:
        return None
    if len(able) > 1:
        names = " and ".join(spec.name for spec in able)
        raise NameClashError(f"A folder belongs to one artist, but {name.folder} is claimed by {names}. Uninstall one.")
    provider: Provider = load_target(able[0].target)
    return provider


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 (Path.is_file raises on a name too long for the disk)
