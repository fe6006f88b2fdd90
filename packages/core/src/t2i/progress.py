"""How long work says how far it is, and what a person should know."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

Progress = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""(title, total) -> a block in which the number of steps done is told, again and again."""

Say = Callable[[str], None]
"""Takes a sentence for the person."""


@contextmanager
def silent(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A Progress that shows nothing."""
    yield lambda steps: None


def unsaid(sentence: str) -> None:
    """A Say that shows nothing."""
