"""Loads one plugin in isolation: any problem is recorded in the returned Plugin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, EntryPoint
from itertools import islice
from types import ModuleType
from typing import cast

import pluggy

from t2i.registry import roles
from t2i.registry.choice import DISABLE, Choice
from t2i.registry.hookspecs import API_VERSION, EVENTS, Events, declaring_hooks
from t2i.registry.installed import UNREADABLE, editable_source, facts, unmet
from t2i.registry.plugin import Plugin, State
from t2i.registry.specs import Spec, check_spec
from t2i.registry.watch import Watch
from t2i.version import __version__

UPDATE_CORE = "pip install --upgrade t2i-core"
AGAIN = "--force-reinstall "
MOST_SPECS = 1000  # per role and plugin; a hook that returns more probably never ends


class Loader:
    """Loads plugins one after the other.

    Attributes:
        listeners: the hooks of each usable plugin that implements an event, by plugin name.
    """

    def __init__(self, choice: Choice, watch: Watch, fatal: Mapping[tuple[str, str], str] | None = None) -> None:
        """
        Args:
            watch: is told of each import.
            fatal: why a plugin is not imported although it was chosen, by (entry point, distribution).
        """
        self._choice, self._watch, self._fatal = choice, watch, fatal or {}
        self._hooks = pluggy.PluginManager("t2i")
        self._hooks.add_hookspecs(declaring_hooks())
        self._hooks.add_hookspecs(Events)
        self.listeners: dict[str, pluggy.HookRelay] = {}

    def load(self, entry: EntryPoint, distribution: Distribution) -> Plugin:
        """Import the module that `entry` names and collect what it declares, unless it is disabled or incompatible."""
        said = facts(distribution)

        def plugin(state: State, reason: str = "", remedy: str = "", specs: tuple[Spec, ...] = ()) -> Plugin:
            return Plugin(entry.name, said.name, said.version, state, reason, remedy, specs)

        def update(how: str = "") -> str:
            source = editable_source(distribution)
            return f"correct it in {source}" if source else f"pip install --upgrade {how}{said.name}"

        refusal = self._choice.refusal(entry.name, said.name)
        if refusal:
            return plugin("disabled", *refusal)
        if said.problem or entry.name == UNREADABLE:
            reason = said.problem or "its entry_points.txt cannot be read"
            return plugin("broken", reason, f"{update(AGAIN)}, or pip uninstall {said.name}")
        if why := self._fatal.get((entry.name, said.name)):
            return plugin("broken", why, f"{update()}, or disable it: {DISABLE}={entry.name}")
        for requirement in said.requires_core:
            unfit = unmet(requirement, __version__)
            if unfit:
                return plugin("incompatible", unfit.reason, UPDATE_CORE if unfit.newer else update())
        doing, how = f"importing {entry.value}", AGAIN
        try:
            with self._watch.importing(entry.name):
                module = entry.load()
            version = getattr(module, "T2I_API", None)
            if type(version) is not int or version != API_VERSION:
                made_for = "declares no T2I_API" if version is None else f"was written for plugin API {version}"
                newer = isinstance(version, int) and version > API_VERSION
                reason = f"it {made_for}, and this core has API {API_VERSION}"
                return plugin("incompatible", reason, UPDATE_CORE if newer else update())
            doing, how = "declaring its specs", ""
            specs = tuple(self._declared(module))
            if any(hasattr(module, event) for event in EVENTS):
                self.listeners[entry.name] = _hooks_of(module)
            return plugin("ok", specs=specs)
        except BaseException as error:  # untrusted modules may raise anything, including SystemExit
            if isinstance(error, KeyboardInterrupt):
                raise
            return plugin("broken", f"{doing} raised {brief(error)}", update(how))

    def _declared(self, module: ModuleType) -> list[Spec]:
        """The checked results of the module's declaring hooks; the plugin manager is empty before and after."""
        declared: list[Spec] = []
        try:
            self._hooks.register(module)
            self._hooks.check_pending()
            _check_hooks(module, {caller.name for caller in self._hooks.get_hookcallers(module) or ()})
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


def _check_hooks(module: ModuleType, implemented: set[str]) -> None:
    """
    Raises:
        ValueError: the module implements no hook, or has one whose decorator is missing.
    """
    hooks = {*EVENTS, *(role.hook for role in roles.ROLES)}
    bare = sorted(hook for hook in hooks - implemented if callable(vars(module).get(hook)))
    if bare:
        raise ValueError(f"{', '.join(bare)} lacks the decorator @hookimpl, so it is never called")
    if not implemented:
        raise ValueError(f"it implements no hook, so it declares nothing; the hooks are {', '.join(sorted(hooks))}")


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
