"""A check: one promise of a contract, why it is made, and what to do if it is not kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import Any, Generic, Literal, TypeVar

from t2i.errors import T2IError

SubjectT = TypeVar("SubjectT")
State = Literal["passed", "failed", "expected failure", "unexpected pass"]


class CheckFailed(AssertionError):  # noqa: N818 (it is no error of the tool's)
    """A promise is not kept; the message says the promise and what was found, why it matters, and how to fix it."""


@dataclass(frozen=True)
class Check(Generic[SubjectT]):
    """One promise. Call it with what made the promise.

    Attributes:
        name: the promise in a few words, joined_by_underscores.
        why: what goes wrong for people if it is broken.
        remedy: what its author changes.
        function: raises AssertionError if the promise is broken, saying it and what was found.
    """

    name: str
    why: str
    remedy: str
    function: Callable[[SubjectT], None]

    def __call__(self, subject: SubjectT) -> None:
        """
        Raises:
            CheckFailed: the promise is broken.
        """
        try:
            self.function(subject)
        except AssertionError as error:
            raise CheckFailed(f"{error}\n  why: {self.why}\n  fix: {self.remedy}") from None
        except Exception as error:
            error.add_note(f"while checking that {self.name}\n  why: {self.why}\n  fix: {self.remedy}")
            raise


class Checks(list[Check[SubjectT]]):
    """The checks of one role, in the order they are made."""

    def add(self, *, why: str, remedy: str) -> Callable[[Callable[[SubjectT], None]], Check[SubjectT]]:
        """A decorator that makes a function the next check."""

        def added(function: Callable[[SubjectT], None]) -> Check[SubjectT]:
            check = Check(function.__name__, why, remedy, function)
            self.append(check)
            return check

        return added


@dataclass(frozen=True)
class BoundCheck:
    """A check and what makes its subject afresh. Call it; `str` of it is its name."""

    check: Check[Any]
    make: Callable[[], Any]

    def __call__(self) -> None:
        self.check(self.make())

    def __str__(self) -> str:
        return self.check.name


def bind(checks: Iterable[Check[SubjectT]], make: Callable[[], SubjectT]) -> Iterator[BoundCheck]:
    """Every check with its subject, for a loop or for pytest.

    Such as::

        @pytest.mark.parametrize("check", bind(GENERATOR_CHECKS, lambda: MyTechnique(MyConfig())), ids=str)
        def test_conformance(check):
            check()
    """
    for check in checks:
        yield BoundCheck(check, make)


@dataclass(frozen=True)
class Outcome:
    """What became of a check.

    Attributes:
        message: the promise and what was found, or the declared reason of an expected failure; "" if it passed.
    """

    check: str
    state: State
    message: str
    why: str
    remedy: str
    seconds: float

    @property
    def is_bad(self) -> bool:
        return self.state == "failed"


def outcome(bound: BoundCheck, expected_failures: Mapping[str, str]) -> Outcome:
    """Make the check; whatever its subject raises is a failure.

    Args:
        expected_failures: names of checks that are known to fail, each with the reason.
    """
    start = time.perf_counter()
    check, message = bound.check, ""
    try:
        check.function(bound.make())
    except (AssertionError, T2IError) as error:
        message = str(error) or f"{type(error).__name__}, with no message"
    except BaseException as error:  # a stranger's code may raise anything
        if isinstance(error, KeyboardInterrupt):
            raise
        message = f"{type(error).__name__}: {error} ({_where(error)})"
    reason = expected_failures.get(check.name)
    state: State = "failed" if message else "passed"
    if reason is not None:
        state = "expected failure" if message else "unexpected pass"
        message = reason if message else f"declared to fail ({reason}), but it passes; take the declaration out"
    return Outcome(check.name, state, message, check.why, check.remedy, time.perf_counter() - start)


def _where(error: BaseException) -> str:
    frames = extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else "nowhere"
