"""Imports slow modules beside the work that does not need them yet."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from threading import Thread


def import_beside(*modules: str) -> None:
    """Begin to import modules that are needed later, in a thread: each takes a second, and no step waits for it."""

    def load() -> None:
        with suppress(ImportError):  # whoever needs it reports that
            for module in modules:
                import_module(module)

    Thread(target=load, name=f"import {modules[0]}").start()
