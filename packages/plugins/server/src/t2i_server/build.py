"""Puts the parts of a server together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from t2i.drawing.opening import agreed
from t2i.engine import Engine, OneProcess
from t2i_server.batching import Batcher
from t2i_server.catalog import Catalog
from t2i_server.chat import Chat
from t2i_server.keeping import Keeper
from t2i_server.metrics import Metrics
from t2i_server.rate import Rate
from t2i_server.searching import Searcher
from t2i_server.settings import ServerSettings
from t2i_server.state import State
from t2i_server.worker import DrawingWorker


def build(
    names: Mapping[str, str],
    settings: ServerSettings,
    language_models: Sequence[str] = (),
    device: str | None = None,
    confirm: Callable[[str], bool] = agreed,
    engine: Engine | None = None,
    replicas: int | None = None,
) -> State:
    """The parts of a server, not started yet.

    Args:
        names: of the models on this machine, by the ids that clients use.
        language_models: names as `t2i write --lm` takes them.
        confirm: asks whether to start a large download; an engine pickles it.
        engine: whose workers draw; by default a thread of this process.
        replicas: of the models; by default one for each worker.

    Raises:
        OutputError: the folder to keep pictures in cannot be written.
        InvalidInputError: the engine has fewer workers.
        UnknownNameError: the index is to be searched, and t2i-index is not installed.
    """
    metrics = Metrics()
    record = settings.keep is not None
    worker = DrawingWorker(names, settings.memory_mib * 2**20, device, record, confirm)
    service = (engine or OneProcess()).serve(worker, replicas)
    return State(
        settings=settings,
        models=Catalog(),
        batcher=Batcher(service, settings, metrics),
        metrics=metrics,
        rate=Rate(settings.per_minute),
        chat=Chat(list(language_models)) if language_models else None,
        keeper=Keeper(settings.keep) if settings.keep is not None else None,
        searcher=Searcher() if settings.search else None,
    )
