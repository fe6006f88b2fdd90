"""Loads one plugin in isolation: any problem is recorded in the returned Plugin."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import Distribution, EntryPoint
from itertools import islice
from types import ModuleType
from typing import cast

import pluggy

from t2i.registry import roles
from t2i.registry.choice import Choice
from t2i.registry.hookspecs import API_VERSION, EVENTS, Events, declaring_hooks
from t2i.registry.installed import UNREADABLE, facts, unmet
from t2i.registry.plugin import Plugin, State
from t2i.registry.specs import Spec, check_spec
from t2i.version import __version__

UPDATE_CORE = "pip install --upgrade t2i-core"
MOST_SPECS = 1000  # per role and plugin; a hook that returns more probably never ends


class Loader:
    """Loads plugins one after the other.

    Attributes:
        listeners: the hooks of each usable plugin that implements an event, by plugin name.
    """

    def __init__(self, choice: Choice) -> None:
        self._choice = choice
        self._hooks = pluggy.PluginManager("t2i")
        self._hooks.add_hookspecs(declaring_hooks())
        self._hooks.add_hookspecs(Events)
        self.listeners: dict[str, pluggy.HookRelay] = {}

    def load(self, entry: EntryPoint, distribution: Distribution) -> Plugin:
        """Import the module that `entry` names and collect what it declares, unless it is disabled or incompatible."""
        said = facts(distribution)

        def plugin(state: State, reason: str = "", remedy: str = "", specs: tuple[Spec, ...] = ()) -> Plugin:
            return Plugin(entry.name, said.name, said.version, state, reason, remedy, specs)

        update = f"pip install --upgrade {said.name}"
        refusal = self._choice.refusal(entry.name, said.name)
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
            if type(version) is not int or version != API_VERSION:
                made_for = "declares no T2I_API" if version is None else f"was written for plugin API {version}"
                newer = isinstance(version, int) and version > API_VERSION
                reason = f"it {made_for}, and this core has API {API_VERSION}"
                return plugin("incompatible", reason, UPDATE_CORE if newer else update)
            doing, remedy = "declaring its specs", update
            specs = tuple(self._declared(module))
            if any(hasattr(module, event) for event in EVENTS):
                self.listeners[entry.name] = _hooks_of(module)
            return plugin("ok", specs=specs)
        except BaseException as error:  # untrusted modules may raise anything, including SystemExit
            if isinstance(error, KeyboardInterrupt):
                raise
            return plugin("broken", f"{doing} raised {brief(error)}", remedy)

    def _declared(self, module: ModuleType) -> list[Spec]:
        """The checked results of the module's declaring hooks; the plugin manager is empty before and after."""
        declared: list[Spec] = []
        try:
            self._hooks.register(module)
            self._hooks.check_pending()
            for caller in self._hooks.get_hookcallers(module) or ():
                role = next((role for role in roles.ROLES if role.hook == caller.name), None)
                if role is None:
                    continue  # an event
                (implementation,) = caller.get_hookimpls()
                specs = list(islice(cast("Iterable[object]", implementation.function()), MOST_SPECS + 1))
                if len(specs) > MOST_SPECS:
                    raise ValueError(f"{role.hook} returns more than {MOST_SPECS} specs")
                for spec in specs:
                    if not isinstance(spec, role.spec):
                        raise TypeError(f"{role.hook} returns {role.spec.__name__}s, not {spec!r}")
                    check_spec(spec)
                    declared.append(spec)
        finally:
            if self._hooks.is_registered(module):
                self._hooks.unregister(module)
        return declared


def _hooks_of(module: ModuleType) -> pluggy.HookRelay:
    """The events as implemented by this module alone, so that plugins cannot affect each other."""
    manager = pluggy.PluginManager("t2i")
    manager.add_hookspecs(Events)
    manager.register(module)
    return manager.hook


def brief(error: BaseException) -> str:
    """The error's type and first line, always printable and short."""
    try:
        lines = str(error).encode("utf-8", "backslashreplace").decode().splitlines()
    except BaseException as another:  # an untrusted __str__ may raise, too
        if isinstance(another, KeyboardInterrupt):
            raise
        lines = []
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
