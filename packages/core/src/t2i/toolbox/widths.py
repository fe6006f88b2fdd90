"""Lists of channels that fit a resolution, so that the resolution is the only setting to change. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SMALLEST = 4  # pixels per side at the first or last width


def fitted(widths: Sequence[int], count: int) -> tuple[int, ...]:
    """`count` widths, coarsest first: the finest of `widths`, or all of them with the coarsest repeated before them."""
    return (widths[0],) * (count - len(widths)) + tuple(widths[-count:])


def count_for(resolution: int, patch: int = 1) -> int:
    """The number of widths that lead from SMALLEST to `resolution` pixels per side if each doubles the side.

    Args:
        patch: pixels per side that the network treats as one.

    Returns:
        At least 2; 0 if no list leads there.
    """
    doublings = resolution // (SMALLEST * patch)
    reached = doublings > 1 and doublings.bit_count() == 1 and doublings * SMALLEST * patch == resolution
    return doublings.bit_length() if reached else 0


def proposal(name: str, widths: Sequence[int], count: int) -> str:
    """A sentence that proposes widths that fit; "" if `count` is 0."""
    return f" These fit: model.{name}={list(fitted(widths, count))}." if count else ""


def given_whole(values: Any, name: str) -> int | None:
    """The whole number that `values`, the unchecked fields of a config, give as `name`; None if they give none."""
    value = values.get(name) if isinstance(values, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
