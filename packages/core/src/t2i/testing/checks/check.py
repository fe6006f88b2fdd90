"""A check: one promise of a contract, why it matters, and how to fix a violation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import Any, Generic, Literal, TypeVar

from t2i.errors import T2IError

SubjectT = TypeVar("SubjectT")
State = Literal["passed", "failed", "expected failure", "unexpected pass", "skipped"]


class CheckFailed(AssertionError):  # noqa: N818 (not an error in t2i)
    """A promise is broken; the message states the promise, what was found, why it matters, and how to fix it."""


@dataclass(frozen=True)
class Check(Generic[SubjectT]):
    """One promise. Call it with the object to check.

    Attributes:
        name: the promise in a few words, joined_by_underscores.
        why: what goes wrong for users if it is broken.
        remedy: how its author can fix it.
        function: raises AssertionError if the promise is broken, stating the promise and what was found.
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
            raise CheckFailed(f"{error}\n  why: {self.why}\n  fix it: {self.remedy}") from None
        except Exception as error:
            error.add_note(f"while checking that {self.name}\n  why: {self.why}\n  fix it: {self.remedy}")
            raise


class Checks(list[Check[SubjectT]]):
    """The checks of one role, in the order they run."""

    def add(self, *, why: str, remedy: str) -> Callable[[Callable[[SubjectT], None]], Check[SubjectT]]:
        """A decorator that makes a function the next check."""

        def added(function: Callable[[SubjectT], None]) -> Check[SubjectT]:
            check = Check(function.__name__, why, remedy, function)
            self.append(check)
            return check

        return added


@dataclass(frozen=True)
class BoundCheck:
    """A check and a function that makes a fresh subject. Call it to run the check; its `str` is its name."""

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
    """The result of a check.

    Attributes:
        message: the promise and what was found, or the declared reason of an expected failure; "" if it passed.
        remedy: the check's; for an error other than a broken promise, the place of the error.
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


MADE: Check[Any] = Check(
    "can_be_made",
    "nothing else can be checked until it can be made",
    "correct the error, and run the checks again",
    lambda subject: None,
)


def outcomes(bound: Iterable[BoundCheck], expected_failures: Mapping[str, str]) -> Iterator[Outcome]:
    """Run the checks in turn; if their subject cannot be made, the rest is skipped.

    Args:
        expected_failures: names of checks that are known to fail, each with the reason.
    """
    made = True
    for each in bound:
        if made:
            found = outcome(each, expected_failures)
            made = found.check != MADE.name
            yield found
        if not made:
            yield Outcome(each.check.name, "skipped", "", each.check.why, each.check.remedy, 0.0)


def outcome(bound: BoundCheck, expected_failures: Mapping[str, str]) -> Outcome:
    """Run the check; any error its subject raises is a failure.

    Args:
        expected_failures: names of checks that are known to fail, each with the reason.

    Returns: The outcome of `MADE` if the subject cannot be made.
    """
    start = time.perf_counter()
    check, message, remedy = MADE, "", bound.check.remedy
    try:
        subject = bound.make()
        check = bound.check
        check.function(subject)
    except (AssertionError, T2IError) as error:
        message = str(error) or f"{type(error).__name__}, with no message"
    except BaseException as error:  # untrusted code may raise anything
        if isinstance(error, KeyboardInterrupt):
            raise
        message = f"{type(error).__name__}: {error} ({_where(error)})"
        remedy = f"correct this error, in {_where(error)}; the check did not finish"
    if check is MADE and message:
        return Outcome(MADE.name, "failed", message, MADE.why, MADE.remedy, time.perf_counter() - start)
    reason = expected_failures.get(check.name)
    state: State = "failed" if message else "passed"
    if reason is not None:
        state = "expected failure" if message else "unexpected pass"
        message = reason if message else f"expected to fail ({reason}), but it passes; remove it from expected_failures"
    return Outcome(check.name, state, message, check.why, remedy, time.perf_counter() - start)


def _where(error: BaseException) -> str:
    """The file and line of the error: the last one outside of torch and of t2i itself, if there is one."""
    frames = extract_tb(error.__traceback__)
    own = [frame for frame in frames if not {"torch", "t2i"} & {*Path(frame.filename).parts}]
    last = (own or frames)[-1:]
    return f"{Path(last[0].filename).name}, line {last[0].lineno}" if last else "nowhere"
