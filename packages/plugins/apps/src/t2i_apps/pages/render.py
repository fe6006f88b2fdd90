"""Fills the page templates. Every text is escaped, and no page loads anything from another place."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from t2i.files import atomic_file


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page as UTF-8, part by part; a value may be an iterator, so that a long page needs little memory.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic_file(path) as file:
        for part in _environment().get_template(template).generate(**values):
            file.write(part.encode("utf-8", "backslashreplace"))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("t2i_apps.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
