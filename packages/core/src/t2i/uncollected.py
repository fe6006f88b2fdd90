"""Garbage collection, switched off while a process starts."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected(*, all_stays: bool = False) -> Iterator[None]:
    """Run the block, or the decorated function, without garbage collection. Modules create hundreds of thousands of
    objects, which all stay; to search them again and again takes a seventh of the time in which torch is imported.

    Args:
        all_stays: exclude all objects that exist at the end from later collections, too; for a program that has done
            nothing yet but import modules.
    """
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if all_stays:
            gc.freeze()
        if searched:
            gc.enable()
