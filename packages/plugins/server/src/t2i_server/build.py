"""Puts the parts of a server together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from t2i.drawing.opening import agreed
from t2i_server.batching import Batcher
from t2i_server.chat import Chat
from t2i_server.keeping import Keeper
from t2i_server.metrics import Metrics
from t2i_server.models import Models
from t2i_server.rate import Rate
from t2i_server.searching import Searcher
from t2i_server.settings import ServerSettings
from t2i_server.state import State


def build(
    names: Mapping[str, str],
    settings: ServerSettings,
    language_models: Sequence[str] = (),
    device: str | None = None,
    confirm: Callable[[str], bool] = agreed,
) -> State:
    """The parts of a server, not started yet.

    Args:
        names: of the models on this machine, by the ids that clients use.
        language_models: names as `t2i write --lm` takes them.
        confirm: asks whether to start a large download.

    Raises:
        OutputError: the folder to keep pictures in cannot be written.
        UnknownNameError: the index is to be searched, and t2i-index is not installed.
    """
    metrics = Metrics()
    record = settings.keep is not None
    models = Models(names, memory_bytes=settings.memory_mib * 2**20, device=device, record=record, confirm=confirm)
    return State(
        settings=settings,
        models=models,
        batcher=Batcher(models, settings, metrics),
        metrics=metrics,
        rate=Rate(settings.per_minute),
        chat=Chat(list(language_models)) if language_models else None,
        keeper=Keeper(settings.keep) if settings.keep is not None else None,
        searcher=Searcher() if settings.search else None,
    )
