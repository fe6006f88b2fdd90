"""What a plugin is once it has been looked at, and why it or a name cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from t2i.errors import (
    NameClashError,
    PluginBrokenError,
    PluginDisabledError,
    PluginError,
    PluginIncompatibleError,
)
from t2i.registry.specs import Spec

State = Literal["ok", "broken", "incompatible", "disabled"]
CORE = "t2i-core"  # the distribution whose own names win, and which no choice of plugins leaves out


@dataclass(frozen=True)
class Plugin:
    """One entry point in the group "t2i" and what became of it.

    Attributes:
        name: of the entry point.
        distribution, version: what was installed.
        state, reason, remedy: "ok", or why it cannot be used and the command that fixes it.
        specs: what it declares; none unless ok.
    """

    name: str
    distribution: str
    version: str
    state: State
    reason: str = ""
    remedy: str = ""
    specs: tuple[Spec, ...] = ()

    def error(self) -> PluginError:
        """What using this plugin raises."""
        kind = {
            "broken": PluginBrokenError,
            "incompatible": PluginIncompatibleError,
            "disabled": PluginDisabledError,
        }[self.state]
        return kind(
            f"The plugin {self.name!r} ({self.distribution} {self.version}) is {self.state}: {self.reason}. "
            f"To fix it: {self.remedy}"
        )


@dataclass(frozen=True)
class Clash:
    """One name of one role, declared by several distributions."""

    kind: type[Spec]
    word: str
    name: str
    distributions: tuple[str, ...]

    @property
    def reason(self) -> str:
        kept = f" ({CORE} keeps it)" if CORE in self.distributions else ""
        return f"the {self.word} {self.name!r} is declared by {' and '.join(self.distributions)}{kept}"

    @property
    def remedy(self) -> str:
        return " or ".join(f"pip uninstall {name}" for name in self.distributions if name != CORE)

    def error(self) -> NameClashError:
        """What asking for the name raises."""
        return NameClashError(f"A name has one owner, but {self.reason}. Remove one: {self.remedy}")
