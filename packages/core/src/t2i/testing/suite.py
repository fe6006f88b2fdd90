"""Makes a pytest class out of a role's checks. Needs pytest (pip install pytest)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeVar

import pytest

from t2i.testing.checks.check import Check

SuiteT = TypeVar("SuiteT", bound="type[Suite]")


class Suite:
    """The base of all suites.

    Attributes:
        expected_failures: checks this subject is known to fail, each with the reason; reported as expected
            failures. A listed check that passes is reported as a failure.
    """

    expected_failures: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        """
        Raises:
            TypeError: expected_failures names a check that the suite does not have.
        """
        for name in cls.expected_failures:
            if not hasattr(cls, f"test_{name}"):
                raise TypeError(f"expected_failures of {cls.__name__} names {name!r}, but there is no such check")


def makes(checks: Iterable[Check[Any]], fixture: str) -> Callable[[SuiteT], SuiteT]:
    """A class decorator: every check becomes a method test_<name> that uses `fixture`."""

    def filled(suite: SuiteT) -> SuiteT:
        for check in checks:
            setattr(suite, f"test_{check.name}", _method(check, fixture))
        return suite

    return filled


def _method(check: Check[Any], fixture: str) -> Callable[..., None]:
    def test(self: Suite, **subject: Any) -> None:
        reason = self.expected_failures.get(check.name)
        if reason is None:
            check(subject[fixture])
            return
        try:
            check(subject[fixture])
        except Exception:
            pytest.xfail(reason)
        pytest.fail(f"{check.name} is expected to fail ({reason}), but passes. Remove it from expected_failures.")

    test.__name__ = f"test_{check.name}"
    test.__doc__ = check.why
    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("self", fixture)]
    test.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # pytest reads it
    return test
