"""Finds plugins, each in isolation: a broken, incompatible or disabled one never affects the others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import Distribution, EntryPoint
from typing import TYPE_CHECKING, cast

import pluggy

from t2i.errors import UnknownNameError, did_you_mean
from t2i.registry import catalogue, roles
from t2i.registry.choice import Choice, is_strict
from t2i.registry.hookspecs import GROUP
from t2i.registry.installed import entry_points
from t2i.registry.load import Loader
from t2i.registry.output import stdout_kept_clean
from t2i.registry.plugin import CORE, Clash, Plugin
from t2i.registry.specs import Spec, SpecT
from t2i.registry.watch import Watch
from t2i.uncollected import uncollected

if TYPE_CHECKING:
    from t2i.registry.probe import Findings

Claims = tuple[tuple[Plugin, Spec], ...]


@dataclass(frozen=True)
class Registry:
    """All plugins found, and everything the usable ones declare.

    Attributes:
        claims: for each type of spec and name, the plugins that declare it, with their specs.
        listeners: the hooks of each plugin that listens to events, by plugin name.
    """

    plugins: tuple[Plugin, ...]
    claims: dict[tuple[type[Spec], str], Claims] = field(repr=False)
    listeners: Mapping[str, pluggy.HookRelay] = field(repr=False)

    def all(self, kind: type[SpecT]) -> Iterator[tuple[SpecT, Plugin]]:
        """Every spec of `kind` whose name has an owner, with its plugin."""
        for (role, _), claims in self.claims.items():
            owner = _owner(claims)
            if role is kind and owner:
                yield cast(SpecT, owner[1]), owner[0]

    def get(self, kind: type[SpecT], name: str, *, offered: Collection[str] = ()) -> tuple[SpecT, Plugin]:
        """The spec called `name` and its plugin.

        Args:
            offered: what the error about an unknown name lists; by default the names of this kind.

        Raises:
            UnknownNameError: no plugin declares it; suggests similar names and the distribution to install.
            NameClashError: several distributions declare it.
            PluginError: the plugin that would declare it cannot be used.
        """
        claims = self.claims.get((kind, name))
        if not claims:
            raise self._unknown(kind, name, offered)
        owner = _owner(claims)
        if owner is None:
            raise _clash(kind, name, claims).error()
        return cast(SpecT, owner[1]), owner[0]

    def named(self, *names: str) -> list[tuple[Spec, Plugin]]:
        """Everything that has any of these names, in every role."""
        owners = [_owner(claims) for (_, name), claims in self.claims.items() if name in names]
        return [(owner[1], owner[0]) for owner in owners if owner]

    @property
    def clashes(self) -> tuple[Clash, ...]:
        """Every name that several distributions declare."""
        return tuple(_clash(kind, name, claims) for (kind, name), claims in self.claims.items() if len(claims) > 1)

    def _unknown(self, kind: type[Spec], name: str, offered: Collection[str]) -> Exception:
        wanted = {name, name.partition(".")[0]}
        brings = {known.distribution for known in catalogue.KNOWN_PLUGINS if wanted & {*known.names_of(kind)}}
        for plugin in self.plugins:
            if plugin.state != "ok" and (plugin.name in wanted or plugin.distribution in brings):
                return plugin.error()
        here = {plugin.distribution for plugin in self.plugins}
        elsewhere = {
            entry: known
            for known in catalogue.KNOWN_PLUGINS
            for entry in known.names_of(kind)
            if known.distribution not in here
        }
        word = roles.role_of(kind).word
        if known := elsewhere.get(name) or elsewhere.get(name.partition(".")[0]):
            return UnknownNameError(f"The {word} {name!r} is not installed. Get it: {known.remedy}.")
        installed = sorted(known for role, known in self.claims if role is kind)
        hint = did_you_mean(name, [*installed, *elsewhere])
        meant = next((near for near in elsewhere if repr(near) in hint), "")
        install = f" Not installed: {meant} ({elsewhere[meant].remedy})" if meant else ""
        unusable = [plugin.name for plugin in self.plugins if plugin.state != "ok"]
        doctor = f" Plugins that cannot be used: {', '.join(unusable)} (t2i doctor says why)." if unusable else ""
        listed = ", ".join(sorted(offered) or installed) or "none"
        return UnknownNameError(f"There is no {word} {name!r}.{hint} Installed: {listed}.{install}{doctor}")


def registry() -> Registry:
    """The installed plugins, for callers that want to use them.

    Raises:
        PluginError: T2I_STRICT_PLUGINS is set, and a plugin is broken or incompatible, or two claim one name.
    """
    found = discover()
    if is_strict():
        for plugin in found.plugins:
            if plugin.state in ("broken", "incompatible"):
                raise plugin.error()
        for clash in found.clashes:
            raise clash.error()
    return found


@cache
@uncollected()
def discover() -> Registry:
    """The installed plugins, found once per process; imports only the plugins' light modules, and never raises.

    Problems are recorded in the result.
    """
    with stdout_kept_clean(), Watch() as watch:
        loader = Loader(Choice.of_environment(), watch, _fatal)
        plugins = tuple(loader.load(*found) for found in _entry_points())
    claims: dict[tuple[type[Spec], str], Claims] = {}
    for plugin in plugins:
        for spec in plugin.specs:
            key = (type(spec), spec.name)
            claims[key] = (*claims.get(key, ()), (plugin, spec))
    return Registry(plugins, claims, loader.listeners)


_fatal: dict[tuple[str, str], str] = {}  # why a plugin must not be imported, by (entry point, distribution)


def examine(names: Collection[str] | None = None) -> Findings:
    """Import every plugin in a child process first; from now on, `discover` records fatal ones as broken.

    Args:
        names: as `t2i.registry.probe.probe` takes them.
    """
    from t2i.registry.probe import probe

    found = probe(names)
    _fatal.update(found.fatal)
    discover.cache_clear()
    return found


def _entry_points() -> list[tuple[EntryPoint, Distribution]]:
    return entry_points(GROUP)


def _owner(claims: Claims) -> tuple[Plugin, Spec] | None:
    """The only plugin that claims a name, or else the core: no plugin can replace a verb such as `t2i doctor`."""
    if len(claims) == 1:
        return claims[0]
    return next((claim for claim in claims if claim[0].distribution == CORE), None)


def _clash(kind: type[Spec], name: str, claims: Claims) -> Clash:
    return Clash(kind, roles.role_of(kind).word, name, tuple(plugin.distribution for plugin, _ in claims))
