"""The checks of an installed name, in sections: its distribution, its roles, its weights."""

from __future__ import annotations

from collections.abc import Sequence

from t2i.errors import PluginError, UnknownNameError, did_you_mean
from t2i.registry import catalogue, roles
from t2i.registry.describe import weights_spec
from t2i.registry.discovery import registry
from t2i.registry.names import ModelName
from t2i.registry.specs import ModelSpec
from t2i.testing.checks.check import Check
from t2i.testing.checks.plugins import PLUGIN_CHECKS
from t2i.testing.checks.roles.role import Section, checked


def sections(name: str) -> list[Section]:
    """The checks of everything called `name` in any role, or of a distribution.

    Args:
        name: "name", "name:reference" or "model.tag", or a distribution's name.

    Raises:
        UnknownNameError, NameClashError, PluginError: nothing usable has that name.
    """
    kind, _, reference = name.partition(":")
    if not reference and _has_tag(name):
        spec = weights_spec(name)
        return checked(spec).sections(spec, "")
    found = [(spec, plugin.distribution) for spec, plugin in registry().named(name, kind)] or [
        (spec, name)
        for role in roles.ROLES
        for spec, plugin in registry().all(role.spec)
        if plugin.distribution == name
    ]
    if not found:
        raise _unknown(name)
    of_roles = [section for spec, _ in found for section in checked(spec).sections(spec, reference)]
    return [*(_plugin(owner, of_roles) for owner in dict.fromkeys(owner for _, owner in found)), *of_roles]


def _has_tag(name: str) -> bool:
    asked = ModelName.parse(name)
    return bool(asked.tag) and any(spec.name == asked.technique for spec, _ in registry().all(ModelSpec))


def _plugin(distribution: str, of_roles: Sequence[Section]) -> Section:
    """The distribution's own section, including the check that its `expected_failures` name existing checks."""
    known = {check.name for section in of_roles for check in section.checks}

    def expected_failures_are_checks(name: str) -> None:
        odd = sorted({failure for section in of_roles for failure in section.expected_failures} - known)
        assert not odd, f"expected_failures of {name} must name checks, but there is no {', '.join(odd)}"

    declared = Check(
        "expected_failures_are_checks",
        "a misspelt name has no effect and suggests a failure that does not exist",
        "use the names that `t2i check` prints, with underscores",
        expected_failures_are_checks,
    )
    return Section(f"the distribution {distribution}", [*PLUGIN_CHECKS, declared], lambda: distribution)


def _unknown(name: str) -> Exception:
    """The error for a name with nothing to check; for an unusable plugin, its own error."""
    for role in roles.ROLES:
        try:
            registry().get(role.spec, name)
        except UnknownNameError:
            continue
        except PluginError as error:
            return error
    for known in catalogue.KNOWN_PLUGINS:
        if name == known.distribution or any(name in names for names in known.names.values()):
            return UnknownNameError(f"{name!r} is not installed. Get it: {known.remedy}.")
    near = did_you_mean(name, {declared for _, declared in registry().claims})
    return UnknownNameError(
        f"Nothing installed is called {name!r}.{near} `t2i plugins` lists everything that is installed."
    )
