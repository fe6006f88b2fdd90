"""The type checker that jaxtyping's import hook applies to every function of t2i in tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import beartype
from beartype.roar import BeartypeDecorHintPep673Exception

CONF = beartype.BeartypeConf(is_pep484_tower=True)  # an int is accepted as float, as in mypy


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with checked annotations; unless one is `Self`, which beartype only supports on whole classes."""
    try:
        return beartype.beartype(function, conf=CONF)
    except BeartypeDecorHintPep673Exception:
        return function
