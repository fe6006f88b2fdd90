"""The checks in pytest: classes with one fixture, parametrised functions, expected failures."""

from __future__ import annotations

import importlib
import sys

import pytest

from fakes.processes import in_child
from t2i.errors import InvalidInputError
from t2i.testing.checks import Check, CheckFailed, bind, outcome
from t2i.testing.checks.datasets import DATASET_CHECKS
from t2i.testing.datasets import DatasetSuite
from t2i.testing.suite import Suite

pytest_plugins = ["pytester"]
HEAD = """
import pytest
from fakes.training import ColouredSquares
from t2i.testing.checks import bind
from t2i.testing.checks.datasets import DATASET_CHECKS
from t2i.testing.datasets import DatasetSuite

class OneName(ColouredSquares):
    '''Both splits have the same name.'''
    name = "squares"

def opened(kind):
    return {split: lambda split=split: kind(split) for split in ("train", "test")}
"""


def test_a_suite_only_needs_its_fixture(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        HEAD
        + """
class TestSquares(DatasetSuite):
    @pytest.fixture
    def splits(self):
        return opened(ColouredSquares)

class TestNothing(DatasetSuite):
    pass

@pytest.mark.parametrize("check", bind(DATASET_CHECKS, lambda: opened(ColouredSquares)), ids=str)
def test_the_same_as_functions(check):
    check()
"""
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-v")
    count = len(DATASET_CHECKS)
    result.assert_outcomes(passed=2 * count, errors=count)
    result.stdout.fnmatch_lines(["*A DatasetSuite overrides the fixture `splits`.*"])
    result.stdout.fnmatch_lines(["*::test_the_same_as_functions[[]splits_are_distinguished[]] PASSED*"])


def test_a_failure_states_promise_reason_and_fix_and_can_be_expected(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        HEAD
        + """
class TestOneName(DatasetSuite):
    @pytest.fixture
    def splits(self):
        return opened(OneName)

class TestKnown(TestOneName):
    expected_failures = {"splits_are_distinguished": "they are one"}

class TestFixed(DatasetSuite):
    expected_failures = {"splits_are_distinguished": "they are one"}

    @pytest.fixture
    def splits(self):
        return opened(ColouredSquares)
"""
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-rx", "-k", "distinguished")
    result.assert_outcomes(failed=2, xfailed=1)
    result.stdout.fnmatch_lines(
        [
            "*CheckFailed: train and test have the same name, squares*",
            "*why: if two splits are confused*",
            "*fix it: include the split in the name*",
            "*splits_are_distinguished is expected to fail (they are one), but passes*",
            "XFAIL*TestKnown::test_splits_are_distinguished*they are one*",
        ]
    )


def test_an_expected_failure_of_an_unknown_check_is_refused() -> None:
    with pytest.raises(TypeError, match="names 'no_such_check', but there is no such check"):
        type("TestTypo", (DatasetSuite,), {"expected_failures": {"no_such_check": "a typo"}})
    assert issubclass(DatasetSuite, Suite)


def failing(subject: int) -> None:
    assert subject == 1, f"subjects are 1, not {subject}"


def crashing(subject: int) -> None:
    raise ZeroDivisionError("division")


def refusing(subject: int) -> None:
    raise InvalidInputError("too small")


def leaving(subject: int) -> None:
    sys.exit(3)


@pytest.mark.parametrize(
    ("function", "message", "remedy"),
    [
        (failing, "subjects are 1, not 2", "do better"),
        (crashing, "ZeroDivisionError: division (test_suites.py, line", "correct this error, in test_suites.py, line"),
        (refusing, "too small", "do better"),
        (leaving, "SystemExit: 3 (test_suites.py, line", "correct this error, in test_suites.py, line"),
    ],
)
def test_any_exception_is_a_failure_with_a_message(function: object, message: str, remedy: str) -> None:
    (bound,) = bind([Check("a_check", "it matters", "do better", function)], lambda: 2)  # type: ignore[arg-type]
    found = outcome(bound, {})
    assert (found.state, found.is_bad, found.why) == ("failed", True, "it matters")
    assert found.remedy.startswith(remedy)
    assert found.message.startswith(message)
    known = outcome(bound, {"a_check": "being fixed"})
    assert (known.state, known.is_bad, known.message) == ("expected failure", False, "being fixed")


def test_a_pass_is_a_pass_and_an_unexpected_pass_is_reported() -> None:
    (bound,) = bind([Check("a_check", "it matters", "do better", failing)], lambda: 1)
    assert (outcome(bound, {}).state, outcome(bound, {}).message) == ("passed", "")
    fixed = outcome(bound, {"a_check": "being fixed"})
    assert fixed.state == "unexpected pass" and not fixed.is_bad
    assert "being fixed" in fixed.message and "remove it from expected_failures" in fixed.message


def test_a_failing_check_raises_an_error_with_reason_and_fix() -> None:
    with pytest.raises(CheckFailed, match=r"(?s)subjects are 1, not 2.*\n  why: it matters\n  fix it: do better"):
        Check("a_check", "it matters", "do better", failing)(2)
    with pytest.raises(ZeroDivisionError) as caught:
        Check("a_check", "it matters", "do better", crashing)(2)
    assert "fix it: do better" in caught.value.__notes__[0]


def test_an_interrupt_is_not_a_failure() -> None:
    def interrupted(subject: int) -> None:
        raise KeyboardInterrupt

    (bound,) = bind([Check("a_check", "it matters", "do better", interrupted)], lambda: 1)
    with pytest.raises(KeyboardInterrupt):
        outcome(bound, {})


def test_checks_need_no_pytest() -> None:
    def without_pytest() -> None:
        for name in [name for name in sys.modules if name.startswith("t2i.testing")]:
            del sys.modules[name]
        sys.modules["pytest"] = None  # type: ignore[assignment]  # only in the child
        importlib.import_module("t2i.testing.installed")

    assert in_child(without_pytest) == 0
