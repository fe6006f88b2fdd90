"""The index, searched in one thread."""

from __future__ import annotations

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, final

from t2i.create import index
from t2i.registry.discovery import registry
from t2i.registry.specs import CommandSpec
from t2i_server.errors import busy
from t2i_server.names import public_name

if TYPE_CHECKING:
    from t2i_index.index import Hit, Index

By = Literal["words", "meaning", "both"]
MOST_WAITING, WAIT_SECONDS = 32, 1.0
SHOWN_OPTIONS = 4000  # characters


@final
class Searcher:
    """Finds what was drawn and written on this machine; shows no paths."""

    def __init__(self) -> None:
        """
        Raises:
            UnknownNameError: t2i-index is not installed.
        """
        registry().get(CommandSpec, "index")
        self._thread = ThreadPoolExecutor(1, "searching")
        self._index: Index | None = None
        self._waiting = 0

    def stop(self) -> None:
        """Wait for the search that is going on."""
        self._thread.shutdown()

    async def search(self, query: str, by: By, kind: str | None, model: str, n: int) -> list[dict[str, Any]]:
        """Hits, the best first, as JSON.

        Raises:
            ApiError: 429, too many searches wait.
            InvalidInputError: the query is not valid.
            DataError, OutputError: the index cannot be read.
        """
        if self._waiting >= MOST_WAITING:
            raise busy(f"{MOST_WAITING} searches are waiting already. Try again later.", "queue_full", WAIT_SECONDS)
        self._waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._search, query, by, kind, model, n)
        finally:
            self._waiting -= 1

    def _search(self, query: str, by: By, kind: str | None, model: str, n: int) -> list[dict[str, Any]]:
        from t2i_index.filters import Filters

        if self._index is None:
            self._index = index()
        filters = Filters(model=model, kind=kind)  # type: ignore[arg-type]  # the route checks it
        return [_shown(hit) for hit in self._index.search(query, by=by, filters=filters, n=n)]


def _shown(hit: Hit) -> dict[str, Any]:
    record, small = hit.record, hit.thumbnail()
    return {
        "id": record.id,
        "kind": record.kind,
        "prompt": record.prompt,
        "typed": record.typed,
        "text": record.text,
        "model": public_name(record.model),
        "seed": record.seed,
        "seeds": [each.seed for each in hit.stack],
        "options": dict(record.options) if len(str(record.options)) <= SHOWN_OPTIONS else {},
        "time": record.time,
        "source": record.source,
        "thumbnail": f"data:image/webp;base64,{base64.b64encode(small).decode()}" if small else None,
    }
