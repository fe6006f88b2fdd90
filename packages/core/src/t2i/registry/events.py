"""Report events to the plugins that listen."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from t2i.registry.discovery import discover
from t2i.registry.load import brief
from t2i.registry.output import stdout_kept_clean

if TYPE_CHECKING:
    from t2i.drawing.provenance import Provenance

log = logging.getLogger(__name__)
_failed: set[tuple[str, str]] = set()  # (plugin, event) pairs already warned about in this process


def picture_written(path: Path, provenance: Provenance) -> None:
    """Tell every listening plugin that a picture file has been written (see `t2i.registry.hookspecs.Events`).

    An error in a plugin is logged once as a warning; it affects neither the picture nor the other plugins.
    """
    for name, hooks in discover().listeners.items():
        try:
            with stdout_kept_clean():
                hooks.t2i_picture_written(path=path, provenance=provenance)
        except BaseException as error:  # untrusted code may raise anything, including SystemExit
            if isinstance(error, KeyboardInterrupt):
                raise
            _warn_once(name, "t2i_picture_written", error)


def _warn_once(plugin: str, event: str, error: BaseException) -> None:
    if (plugin, event) not in _failed:
        _failed.add((plugin, event))
        log.warning(
            f"the plugin {plugin!r} failed in {event} ({brief(error)}); the picture was still written. "
            f"To disable the plugin, set T2I_DISABLE_PLUGINS={plugin}."
        )
