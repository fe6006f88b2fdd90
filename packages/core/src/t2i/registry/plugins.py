"""Finds plugins, each in isolation: one that is broken, incompatible or disabled never takes another with it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions
from types import ModuleType
from typing import Literal, TypeVar, cast

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
from t2i.registry.specs import DatasetSpec, EvaluatorSpec, ModelSpec, Spec, TextEncoderSpec, WeightsSpec

State = Literal["ok", "broken", "incompatible", "disabled"]
SpecT = TypeVar("SpecT", ModelSpec, WeightsSpec, TextEncoderSpec, EvaluatorSpec, DatasetSpec)

ROLES: dict[str, type[Spec]] = {
    "t2i_models": ModelSpec,
    "t2i_weights": WeightsSpec,
    "t2i_text_encoders": TextEncoderSpec,
    "t2i_evaluators": EvaluatorSpec,
    "t2i_datasets": DatasetSpec,
}
WORDS = {
    ModelSpec: "model",
    WeightsSpec: "pretrained model",
    TextEncoderSpec: "text encoder",
    EvaluatorSpec: "evaluator",
    DatasetSpec: "dataset",
}


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
            clash = _clash(kind, name, claims)
            raise NameClashError(f"A name has one owner, but {clash.reason}. Remove one: {clash.remedy}")
        if claims:
            return cast(SpecT, claims[0][1]), claims[0][0]
        raise self._unknown(kind, name)

    @property
    def clashes(self) -> tuple[Clash, ...]:
        return tuple(_clash(kind, name, claims) for (kind, name), claims in self.owners.items() if len(claims) > 1)

    def _unknown(self, kind: type[Spec], name: str) -> Exception:
        technique = name.partition(".")[0]
        brings = {known.distribution: known for known in KNOWN_PLUGINS if technique in known.names}
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
        if technique in elsewhere:
            return UnknownNameError(f"The {word} {name!r} is not installed. Get it: {elsewhere[technique].remedy}.")
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
    """What is installed, found once per process. Imports only the plugins' light modules."""
    manager = pluggy.PluginManager("t2i")
    manager.add_hookspecs(hookspecs)
    disabled = {name.strip() for name in os.environ.get("T2I_DISABLE_PLUGINS", "").split(",")} - {""}
    plugins = tuple(_load(manager, *found, disabled) for found in _entry_points())
    owners: dict[tuple[type[Spec], str], tuple[tuple[Plugin, Spec], ...]] = {}
    for plugin in plugins:
        for spec in plugin.specs:
            key = (type(spec), spec.name)
            owners[key] = (*owners.get(key, ()), (plugin, spec))
    return Registry(plugins, owners)


def _entry_points() -> list[tuple[EntryPoint, Distribution]]:
    """Each distribution's entry points once, though a folder stand twice on sys.path; ordered by name."""
    found: dict[tuple[str, str], tuple[EntryPoint, Distribution]] = {}
    for distribution in distributions():
        try:
            named = bool(distribution.name and distribution.version)
            entries = tuple(distribution.entry_points.select(group=hookspecs.GROUP)) if named else ()
        except Exception:  # what a broken-off uninstall left has no name to be listed under
            entries = ()
        for entry in entries:
            found.setdefault((entry.name, distribution.name), (entry, distribution))
    return [found[key] for key in sorted(found)]


def _load(manager: pluggy.PluginManager, entry: EntryPoint, distribution: Distribution, disabled: set[str]) -> Plugin:
    def plugin(state: State, reason: str = "", remedy: str = "", specs: tuple[Spec, ...] = ()) -> Plugin:
        return Plugin(entry.name, distribution.name, distribution.version, state, reason, remedy, specs)

    update = f"pip install --upgrade {distribution.name}"
    if disabled & {entry.name, distribution.name}:
        return plugin("disabled", "T2I_DISABLE_PLUGINS names it", "remove it from T2I_DISABLE_PLUGINS")
    try:
        module = entry.load()
    except BaseException as error:  # a stranger's module may raise anything, SystemExit included
        if isinstance(error, KeyboardInterrupt):
            raise
        requirement = _unmet_core(distribution)
        if requirement:
            return plugin("incompatible", requirement, "pip install --upgrade t2i-core")
        return plugin("broken", f"importing {entry.value} raised {_brief(error)}", f"{update} --force-reinstall")
    version = getattr(module, "T2I_API", None)
    if version != hookspecs.API_VERSION:
        came = "declares no T2I_API" if version is None else f"was made for plugin API {version}"
        newer = isinstance(version, int) and version > hookspecs.API_VERSION
        remedy = "pip install --upgrade t2i-core" if newer else update
        return plugin("incompatible", f"it {came}, and this core speaks {hookspecs.API_VERSION}", remedy)
    try:
        manager.register(module, name=f"{distribution.name}:{entry.name}")
        manager.check_pending()
        return plugin("ok", specs=tuple(_declared(manager, module)))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        if manager.is_registered(module):
            manager.unregister(module)
        return plugin("broken", f"declaring its specs raised {_brief(error)}", update)


def _declared(manager: pluggy.PluginManager, module: ModuleType) -> Iterator[Spec]:
    for caller in manager.get_hookcallers(module) or ():
        kind = ROLES[caller.name]
        for implementation in caller.get_hookimpls():
            if implementation.plugin is module:
                for spec in cast("Iterable[object]", implementation.function()):
                    if not isinstance(spec, kind):
                        raise TypeError(f"{caller.name} returns {kind.__name__}s, not {spec!r}")
                    yield spec


def _unmet_core(distribution: Distribution) -> str:
    """Why this core does not satisfy the plugin's own requirement, or ""."""
    from packaging.requirements import InvalidRequirement, Requirement

    from t2i import __version__

    for line in distribution.requires or ():
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue
        if requirement.name == "t2i-core" and not requirement.specifier.contains(__version__, prereleases=True):
            return f"it requires t2i-core{requirement.specifier}, and this is {__version__}"
    return ""


def _clash(kind: type[Spec], name: str, claims: tuple[tuple[Plugin, Spec], ...]) -> Clash:
    return Clash(WORDS[kind], name, tuple(plugin.distribution for plugin, _ in claims))


def _brief(error: BaseException) -> str:
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
