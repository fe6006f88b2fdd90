"""The failures that conformance checks report for a broken object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from t2i.testing.checks import Check, bind, outcome


def failures(checks: Iterable[Check[Any]], make: Callable[[], Any]) -> dict[str, str]:
    """The message of each failing check, by its name."""
    outcomes = [outcome(bound, {}) for bound in bind(checks, make)]
    return {each.check: each.message for each in outcomes if each.state == "failed"}


def expect(found: Mapping[str, str], reasons: Mapping[str, str]) -> None:
    """Assert that exactly these checks failed, with these messages."""
    assert found.keys() == reasons.keys(), found
    for name, reason in reasons.items():
        assert reason in found[name], found[name]


def caught(specimens: Iterable[tuple[Any, Mapping[str, str]]]) -> set[str]:
    """The checks that at least one broken object fails."""
    return {name for _, reasons in specimens for name in reasons}
