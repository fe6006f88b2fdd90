"""Which plugins this process may load, according to environment variables."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from t2i.errors import did_you_mean
from t2i.registry.plugin import CORE, Plugin

LOAD, DISABLE, STRICT = "T2I_LOAD_PLUGINS", "T2I_DISABLE_PLUGINS", "T2I_STRICT_PLUGINS"


@dataclass(frozen=True)
class Choice:
    """Names of entry points or distributions; the core's own plugins are always loaded.

    Attributes:
        load: load only these; None means all.
        disabled: load none of these.
    """

    load: frozenset[str] | None
    disabled: frozenset[str]

    @classmethod
    def of_environment(cls) -> Choice:
        """The values of T2I_LOAD_PLUGINS and T2I_DISABLE_PLUGINS."""
        load = os.environ.get(LOAD)
        return cls(None if load is None else _names(load), _names(os.environ.get(DISABLE, "")))

    def refusal(self, entry: str, distribution: str) -> tuple[str, str] | None:
        """Why the plugin of this name and distribution is not loaded, and the remedy; None if it is loaded."""
        names = {entry, distribution}
        if distribution == CORE:
            return None
        if self.disabled & names:
            return f"{DISABLE} names it", f"remove it from {DISABLE}"
        if self.load is not None and not self.load & names:
            return f"{LOAD} does not name it", f"add it to {LOAD}, or unset {LOAD}"
        return None


def is_strict() -> bool:
    """Whether T2I_STRICT_PLUGINS is set."""
    return os.environ.get(STRICT, "").lower() not in ("", "0", "no", "false")


def unknown_choices(plugins: Iterable[Plugin]) -> list[str]:
    """A message for each name in those variables that no installed plugin has."""
    choice = Choice.of_environment()
    known = {name for plugin in plugins for name in (plugin.name, plugin.distribution)}
    return [
        f"{variable} names {name!r}, but no plugin has that name.{did_you_mean(name, known)}"
        for variable, names in ((LOAD, choice.load or ()), (DISABLE, choice.disabled))
        for name in sorted(set(names) - known)
    ]


def _names(value: str) -> frozenset[str]:
    return frozenset(name.strip() for name in value.split(",")) - {""}
