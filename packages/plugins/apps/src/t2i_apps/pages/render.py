"""Fills the page templates. Every text is escaped, and no page loads anything from another place."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values: Any) -> bytes:
    """A page as UTF-8."""
    return "".join(stream(template, **values)).encode("utf-8", "backslashreplace")


def stream(template: str, **values: Any) -> Iterator[str]:
    """The parts of a page, made as they are read; a value may be an iterator."""
    return _environment().get_template(template).generate(**values)


@lru_cache(1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("t2i_apps.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
