"""Report events to the plugins that listen."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from t2i.registry.discovery import discover
from t2i.registry.load import brief
from t2i.registry.output import stdout_kept_clean

if TYPE_CHECKING:
    from t2i.drawing.picture import Picture
    from t2i.language import LanguageModelIdentity

log = logging.getLogger(__name__)
_failed: set[tuple[str, str]] = set()  # (plugin, event) pairs already warned about in this process


def picture_written(path: Path, picture: Picture) -> None:
    """Tell every listening plugin that a picture file has been written (see `t2i.registry.hookspecs.Events`)."""
    _tell("t2i_picture_written", path=path, provenance=picture.provenance, picture=picture)


def texts_written(
    question: str,
    texts: Sequence[str],
    model: LanguageModelIdentity,
    seed: int | None,
    picture: Path | None = None,
) -> None:
    """Tell every listening plugin what a language model wrote (see `t2i.registry.hookspecs.Events`)."""
    _tell("t2i_texts_written", question=question, texts=texts, model=model, seed=seed, picture=picture)


def _tell(event: str, **arguments: object) -> None:
    """An error in a plugin is logged once as a warning; it affects neither the result nor the other plugins."""
    for name, hooks in discover().listeners.items():
        try:
            with stdout_kept_clean():
                getattr(hooks, event)(**arguments)
        except BaseException as error:  # untrusted code may raise anything, including SystemExit
            if isinstance(error, KeyboardInterrupt):
                raise
            _warn_once(name, event, error)


def _warn_once(plugin: str, event: str, error: BaseException) -> None:
    if (plugin, event) not in _failed:
        _failed.add((plugin, event))
        log.warning(
            f"the plugin {plugin!r} failed in {event} ({brief(error)}); the result is not affected. "
            f"To disable the plugin, set T2I_DISABLE_PLUGINS={plugin}."
        )
