"""Finds plugins, each in isolation: one that is broken, incompatible or disabled never takes another with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import Distribution, EntryPoint
from itertools import islice
from types import ModuleType
from typing import Literal, cast

import pluggy

from t2i.errors import (
    NameClashError,
    PluginBrokenError,
    PluginDisabledError,
    PluginError,
    PluginIncompatibleError,
    UnknownNameError,
    did_you_mean,
)
from t2i.registry import hookspecs
from t2i.registry.catalogue import KNOWN_PLUGINS
from t2i.registry.installed import UNREADABLE, entry_points, facts, unmet
from t2i.registry.roles import ROLES, WORDS, SpecT
from t2i.registry.specs import (
    Spec,
    check_spec,
)
from t2i.version import __version__

State = Literal["ok", "broken", "incompatible", "disabled"]


UPDATE_CORE = "pip install --upgrade t2i-core"
MOST_SPECS = 1000  # of one role in one plugin; more come from a hook that never ends


@dataclass(frozen=True)
class Plugin:
    """One entry point in the group "t2i" and what became of it.

    Attributes:
        name: of the entry point.
        distribution, version: what was installed.
        state, reason, remedy: "ok", or why it cannot be used and the command that mends it.
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
            f"To mend it: {self.remedy}"
        )


@dataclass(frozen=True)
class Clash:
    """One name, claimed by several distributions."""

    kind: str
    name: str
    distributions: tuple[str, ...]

    @property
    def reason(self) -> str:
        return f"the {self.kind} {self.name!r} is declared by {' and '.join(self.distributions)}"

    @property
    def remedy(self) -> str:
        return " or ".join(f"pip uninstall {name}" for name in self.distributions)

    def error(self) -> NameClashError:
        """What asking for the name raises."""
        return NameClashError(f"A name has one owner, but {self.reason}. Remove one: {self.remedy}")


@dataclass(frozen=True)
class Registry:
    """All plugins found, and everything the usable ones declare."""

    plugins: tuple[Plugin, ...]
    owners: dict[tuple[type[Spec], str], tuple[tuple[Plugin, Spec], ...]] = field(repr=False)

    def all(self, kind: type[SpecT]) -> Iterator[tuple[SpecT, Plugin]]:
        """Every spec of `kind` whose name is claimed once, with its plugin."""
        for (role, _), claims in self.owners.items():
            if role is kind and len(claims) == 1:
                plugin, spec = claims[0]
                yield cast(SpecT, spec), plugin

    def get(self, kind: type[SpecT], name: str) -> tuple[SpecT, Plugin]:
        """The spec called `name` and its plugin.

        Raises:
            UnknownNameError: nobody declares it; suggests near names and the distribution that would.
            NameClashError: several distributions declare it.
            PluginError: the plugin that would declare it cannot be used.
        """
        claims = self.owners.get((kind, name), ())
        if len(claims) > 1:
            raise _clash(kind, name, claims).error()
        if claims:
            return cast(SpecT, claims[0][1]), claims[0][0]
        raise self._unknown(kind, name)

    @property
    def clashes(self) -> tuple[Clash, ...]:
        return tuple(_clash(kind, name, claims) for (kind, name), claims in self.owners.items() if len(claims) > 1)

    def _unknown(self, kind: type[Spec], name: str) -> Exception:
        technique = name.partition(".")[0]
        brings = {known.distribution: known for known in KNOWN_PLUGINS if {name, technique} & {*known.names}}
        for plugin in self.plugins:
            if plugin.state != "ok" and (plugin.name == technique or plugin.distribution in brings):
                return plugin.error()
        word = WORDS[kind]
        installed = sorted(known for role, known in self.owners if role is kind)
        elsewhere = {
            entry: known
            for known in KNOWN_PLUGINS
            for entry in known.names
            if known.distribution not in {plugin.distribution for plugin in self.plugins}
        }
        for asked in (name, technique):
            if asked in elsewhere:
                return UnknownNameError(f"The {word} {name!r} is not installed. Get it: {elsewhere[asked].remedy}.")
        hint = did_you_mean(name, [*installed, *elsewhere])
        meant = next((near for near in elsewhere if repr(near) in hint), "")
        install = f" Not installed: {meant} ({elsewhere[meant].remedy})" if meant else ""
        unusable = [plugin.name for plugin in self.plugins if plugin.state != "ok"]
        doctor = f" Plugins that cannot be used: {', '.join(unusable)} (t2i doctor says why)." if unusable else ""
        return UnknownNameError(
            f"There is no {word} {name!r}.{hint} Installed: {', '.join(installed) or 'none'}.{install}{doctor}"
        )


@cache
def registry() -> Registry:
    """What is installed, found once per process. Imports only the plugins' light modules.

    Raises:
        PluginError: T2I_STRICT_PLUGINS is set, and a plugin is broken or incompatible, or two claim one name.
    """
    found = discover()
    if os.environ.get("T2I_STRICT_PLUGINS", "").lower() not in ("", "0", "no", "false"):
        for plugin in found.plugins:
            if plugin.state in ("broken", "incompatible"):
                raise plugin.error()
        for clash in found.clashes:
            raise clash.error()
    return found


def discover() -> Registry:
    """The same, looked for afresh and never strict: every illness is in what it returns."""
    manager = pluggy.PluginManager("t2i")
    manager.add_hookspecs(hookspecs)
    choice = _Choice.of_environment()
    with redirect_stdout(sys.stderr):  # what a plugin prints is no result of ours
        plugins = tuple(_load(manager, *found, choice) for found in _entry_points())
    owners: dict[tuple[type[Spec], str], tuple[tuple[Plugin, Spec], ...]] = {}
    for plugin in plugins:
        for spec in plugin.specs:
            key = (type(spec), spec.name)
            owners[key] = (*owners.get(key, ()), (plugin, spec))
    return Registry(plugins, owners)


def unknown_choices(plugins: Iterable[Plugin]) -> list[str]:
    """A sentence for each name in T2I_LOAD_PLUGINS or T2I_DISABLE_PLUGINS that no installed plugin has."""
    choice, known = (
        _Choice.of_environment(),
        {name for plugin in plugins for name in (plugin.name, plugin.distribution)},
    )
    named = [("T2I_LOAD_PLUGINS", choice.load or ()), ("T2I_DISABLE_PLUGINS", choice.disabled)]
    return [
        f"{variable} names {name!r}, but no plugin is called so.{did_you_mean(name, known)}"
        for variable, names in named
        for name in sorted(set(names) - known)
    ]


@dataclass(frozen=True)
class _Choice:
    """Which plugins this process may load, by the name of entry point or distribution; `load` None: all."""

    load: frozenset[str] | None
    disabled: frozenset[str]

    @classmethod
    def of_environment(cls) -> _Choice:
        load, disabled = os.environ.get("T2I_LOAD_PLUGINS"), os.environ.get("T2I_DISABLE_PLUGINS", "")
        return cls(None if load is None else _names(load), _names(disabled))

    def refusal(self, *names: str) -> tuple[str, str] | None:
        """Why the plugin that goes by `names` is not loaded, and the remedy."""
        if self.disabled & {*names}:
            return "T2I_DISABLE_PLUGINS names it", "remove it from T2I_DISABLE_PLUGINS"
        if self.load is not None and not self.load & {*names}:
            return "T2I_LOAD_PLUGINS does not name it", "add it to T2I_LOAD_PLUGINS, or unset that"
        return None


def _names(value: str) -> frozenset[str]:
    return frozenset(name.strip() for name in value.split(",")) - {""}


def _entry_points() -> list[tuple[EntryPoint, Distribution]]:
    return entry_points(hookspecs.GROUP)


def _load(manager: pluggy.PluginManager, entry: EntryPoint, distribution: Distribution, choice: _Choice) -> Plugin:
    said = facts(distribution)

    def plugin(state: State, reason: str = "", remedy: str = "", specs: tuple[Spec, ...] = ()) -> Plugin:
        return Plugin(entry.name, said.name, said.version, state, reason, remedy, specs)

    update = f"pip install --upgrade {said.name}"
    refusal = choice.refusal(entry.name, said.name)
    if refusal:
        return plugin("disabled", *refusal)
    if said.problem or entry.name == UNREADABLE:
        reason = said.problem or "its entry_points.txt cannot be read"
        return plugin("broken", reason, f"{update} --force-reinstall, or pip uninstall {said.name}")
    for requirement in said.requires_core:
        unfit = unmet(requirement, __version__)
        if unfit:
            return plugin("incompatible", unfit.reason, UPDATE_CORE if unfit.newer else update)
    doing, remedy = f"importing {entry.value}", f"{update} --force-reinstall"
    try:
        module = entry.load()
        version = getattr(module, "T2I_API", None)
        if type(version) is not int or version != hookspecs.API_VERSION:
            came = "declares no T2I_API" if version is None else f"was made for plugin API {version}"
            newer = isinstance(version, int) and version > hookspecs.API_VERSION
            reason = f"it {came}, and this core speaks {hookspecs.API_VERSION}"
            return plugin("incompatible", reason, UPDATE_CORE if newer else update)
        doing, remedy = "declaring its specs", update
        return plugin("ok", specs=tuple(_declared(manager, module)))
    except BaseException as error:  # a stranger's module may raise anything, SystemExit included
        if isinstance(error, KeyboardInterrupt):
            raise
        return plugin("broken", f"{doing} raised {_brief(error)}", remedy)


def _declared(manager: pluggy.PluginManager, module: ModuleType) -> list[Spec]:
    """What the module's hooks return, checked; the manager knows no plugin before and after."""
    declared: list[Spec] = []
    try:
        manager.register(module)
        manager.check_pending()
        for caller in manager.get_hookcallers(module) or ():
            kind = ROLES[caller.name]
            (implementation,) = caller.get_hookimpls()
            specs = list(islice(cast("Iterable[object]", implementation.function()), MOST_SPECS + 1))
            if len(specs) > MOST_SPECS:
                raise ValueError(f"{caller.name} returns more than {MOST_SPECS} specs")
            for spec in specs:
                if not isinstance(spec, kind):
                    raise TypeError(f"{caller.name} returns {kind.__name__}s, not {spec!r}")
                check_spec(spec)
                declared.append(spec)
    finally:
        if manager.is_registered(module):
            manager.unregister(module)
    return declared


def _clash(kind: type[Spec], name: str, claims: tuple[tuple[Plugin, Spec], ...]) -> Clash:
    return Clash(WORDS[kind], name, tuple(plugin.distribution for plugin, _ in claims))


def _brief(error: BaseException) -> str:
    """Type and first line, printable and short whatever the error is."""
    try:
        lines = str(error).encode("utf-8", "backslashreplace").decode().splitlines()
    except BaseException as another:  # a stranger's __str__ may raise, too
        if isinstance(another, KeyboardInterrupt):
            raise
        lines = []
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
