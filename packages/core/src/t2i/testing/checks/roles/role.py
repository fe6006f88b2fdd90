"""What `t2i check` does with a declared name, whatever its role; each role has one file beside this one."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from typing import Any, Generic

from t2i.registry.roles import role_of
from t2i.registry.specs import Spec, SpecT, load_target
from t2i.testing.checks.check import Check, Outcome, bind, outcome


@dataclass(frozen=True)
class Section:
    """The checks of one subject, and what makes it."""

    title: str
    checks: Sequence[Check[Any]]
    make: Callable[[], Any]
    expected_failures: Mapping[str, str] = field(default_factory=dict)

    def outcomes(self) -> Iterator[Outcome]:
        """Make every check in turn; what it prints is swallowed."""
        for bound in bind(self.checks, self.make):
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                found = outcome(bound, self.expected_failures)
            yield found


class CheckedRole(ABC, Generic[SpecT]):
    """How what a spec declares is made and checked."""

    @abstractmethod
    def sections(self, spec: SpecT, reference: str) -> list[Section]:
        """The checks of the contract.

        Args:
            reference: what was asked for behind "name:", or "".
        """

    @abstractmethod
    def targets(self, spec: SpecT) -> list[str]:
        """Everything the spec names as "package.module:Name"."""

    @abstractmethod
    def check_files(self, spec: SpecT) -> None:
        """
        Raises:
            AssertionError, T2IError: a file that the spec names, other than its targets, is missing or damaged.
        """

    @abstractmethod
    def make(self, spec: SpecT) -> None:
        """Make everything that the spec declares, as small as it allows.

        Raises:
            OfflineError: it would have to be fetched.
        """

    @abstractmethod
    def says(self, spec: SpecT) -> tuple[dict[str, object], dict[str, object]]:
        """What the spec declares that the code says too, and what the code says."""


def checked(spec: Spec) -> CheckedRole[Any]:
    """How specs of this one's role are checked."""
    role: CheckedRole[Any] = load_target(role_of(type(spec)).checks)()
    return role
