"""How long-running work reports its progress and messages to the user."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""(title, total) -> a context manager that gives a function to call with the number of steps just done."""

Say = Callable[[str], None]
"""Takes a message for the user."""


@contextmanager
def silent(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A Progress that shows nothing."""
    yield lambda steps: None


def unsaid(sentence: str) -> None:
    """A Say that shows nothing."""
