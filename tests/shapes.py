"""The checker jaxtyping's import hook puts on every function of t2i while the tests run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import beartype
from beartype.roar import BeartypeDecorHintPep673Exception

CONF = beartype.BeartypeConf(is_pep484_tower=True)  # an int is a float, as mypy has it


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, its annotations enforced; unless one is `Self`, which beartype knows on whole classes only."""
    try:
        return beartype.beartype(function, conf=CONF)
    except BeartypeDecorHintPep673Exception:
        return function
