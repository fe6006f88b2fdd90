"""Names a plugin whose import takes long, while it does."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self, final

from t2i.registry.choice import DISABLE

SLOW_SECONDS = 5.0  # a plugin.py should take milliseconds
log = logging.getLogger(__name__)


@final
class Watch:
    """`with Watch() as watch:` starts one thread, which logs the name of each plugin that is imported slowly."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._importing: tuple[str, float] | None = None  # the plugin, and since when

    def __enter__(self) -> Self:
        threading.Thread(target=self._look, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    @contextmanager
    def importing(self, plugin: str) -> Iterator[None]:
        """Call around the import of a plugin."""
        self._importing = plugin, time.monotonic()
        try:
            yield
        finally:
            self._importing = None

    def _look(self) -> None:
        named = None
        while not self._ended.wait(SLOW_SECONDS / 5):
            seen = self._importing
            if seen is None or seen == named or time.monotonic() - seen[1] < SLOW_SECONDS:
                continue
            named = seen
            log.warning(
                f"importing the plugin {seen[0]!r} takes more than {SLOW_SECONDS:g} s. "
                f"To go on without it, press Ctrl-C and set {DISABLE}={seen[0]}"
            )
