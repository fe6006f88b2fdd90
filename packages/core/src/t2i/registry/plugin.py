"""The result of loading a plugin, and why a plugin or a name cannot be used."""

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
CORE = "t2i-core"  # the distribution whose names win clashes, and which cannot be disabled


@dataclass(frozen=True)
class Plugin:
    """One entry point in the group "t2i" and the result of loading it.

    Attributes:
        name: the entry point's name.
        distribution, version: the installed package.
        state, reason, remedy: "ok", or why it cannot be used and the command that fixes it.
        specs: what it declares; empty unless ok.
    """

    name: str
    distribution: str
    version: str
    state: State
    reason: str = ""
    remedy: str = ""
    specs: tuple[Spec, ...] = ()

    def error(self) -> PluginError:
        """The error to raise when this plugin is used."""
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
        """The error to raise when the name is used."""
        return NameClashError(f"A name must have one owner, but {self.reason}. Remove one: {self.remedy}")
