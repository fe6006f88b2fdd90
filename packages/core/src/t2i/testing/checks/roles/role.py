"""What `t2i check` does with a declared name, for all roles; each role has its own file next to this one."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import Any, Generic

from t2i.registry.roles import role_of
from t2i.registry.specs import Spec, SpecT, load_target
from t2i.testing.checks.check import Check, Outcome, bind, outcomes


@dataclass(frozen=True)
class Section:
    """The checks of one subject, and the function that makes it."""

    title: str
    checks: Sequence[Check[Any]]
    make: Callable[[], Any]
    expected_failures: Mapping[str, str] = field(default_factory=dict)

    def outcomes(self, chosen: Callable[[str], bool] = lambda name: True) -> Iterator[Outcome]:
        """Run every chosen check in turn; their output is discarded."""
        checks = [check for check in self.checks if chosen(check.name)]
        running = outcomes(bind(checks, self.make), self.expected_failures)
        while True:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                found = next(running, None)
            if found is None:
                return
            yield found


class CheckedRole(ABC, Generic[SpecT]):
    """How to make and check what a spec declares."""

    @abstractmethod
    def sections(self, spec: SpecT, reference: str) -> list[Section]:
        """The checks of the contract.

        Args:
            reference: the part after "name:", or "".
        """

    @abstractmethod
    def check_files(self, spec: SpecT) -> None:
        """
        Raises:
            AssertionError, T2IError: a file that the spec names, other than its targets, is missing or damaged.
        """

    @abstractmethod
    def make(self, spec: SpecT) -> None:
        """Make everything that the spec declares, as small as possible.

        Raises:
            OfflineError: it would have to be downloaded.
        """

    @abstractmethod
    def says(self, spec: SpecT) -> tuple[dict[str, object], dict[str, object]]:
        """The facts that both spec and code state: the spec's values, and the code's."""


def checked(spec: Spec) -> CheckedRole[Any]:
    """The CheckedRole for specs of this type."""
    role: CheckedRole[Any] = load_target(role_of(type(spec)).checks)()
    return role
