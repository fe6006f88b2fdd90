"""`t2i plugins` lists the plugins; `t2i doctor` says what is wrong here and the command that fixes it."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import distribution
from typing import Annotated

import typer

from t2i.cli.console import report, report_json, table
from t2i.cli.main import check_metadata
from t2i.errors import PluginError
from t2i.registry import roles
from t2i.registry.choice import unknown_choices
from t2i.registry.discovery import discover, examine
from t2i.registry.hookspecs import GROUP
from t2i.registry.installed import editable_source, installed_twice
from t2i.registry.plugin import CORE, Plugin
from t2i.registry.specs import WeightsSpec, bundled_folder


def plugins(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List installed plugins and what each declares."""
    found = discover().plugins
    if as_json:
        report_json([asdict(plugin) for plugin in found])
        return
    rows = [
        [plugin.name, f"{plugin.distribution} {plugin.version}", plugin.state, _declared(plugin) or plugin.reason]
        for plugin in found
    ]
    table(["plugin", "distribution", "state", "declares, or why not"], rows)


def _declared(plugin: Plugin) -> str:
    """What a plugin brings, such as "text encoders minilm, hf"."""
    parts = []
    for role in roles.ROLES:
        names = [spec.name for spec in plugin.specs if type(spec) is role.spec]
        if names:
            parts.append(f"{role.word if len(names) == 1 else role.plural} {', '.join(names)}")
    return "; ".join(parts)


def doctor() -> int:
    """Check every plugin, everything it declares and every bundled file; exits with 1 if something is wrong.

    Each plugin is imported in another process first, so that one that ends the process or never returns is found too.
    """
    examined = examine()
    found, wrong = discover(), 0
    check_metadata(found)

    def line(state: str, what: str, reason: str = "", remedy: str = "") -> None:
        report(f"{state:<13}{what}" + (f": {reason}" if reason else ""))
        if remedy:
            report(f"{'':<13}fix it: {remedy}")

    for plugin in found.plugins:
        line(
            plugin.state,
            f"plugin {plugin.name} ({plugin.distribution} {plugin.version})",
            plugin.reason,
            plugin.remedy,
        )
        wrong += plugin.state in ("broken", "incompatible")
        for problem in examined.problems.get((plugin.name, plugin.distribution), []):
            line("broken", problem)
            wrong += 1
    for name, folders in installed_twice(GROUP).items():
        remedy = f"pip uninstall {name} (once for each), then install it again"
        line("twice", f"distribution {name}", f"installed in {' and '.join(folders)}", remedy)
        wrong += 1
    for clash in found.clashes:
        line("clash", clash.name, clash.reason, clash.remedy)
        wrong += 1
    for sentence in unknown_choices(found.plugins):
        line("unknown", sentence)
        wrong += 1
    for spec, plugin in found.all(WeightsSpec):
        problem = _check_bundle(spec)
        line(
            "broken" if problem else "ok",
            f"weights {spec.name}",
            problem,
            _restore(plugin.distribution) if problem else "",
        )
        wrong += bool(problem)
    if all(plugin.distribution == CORE for plugin in found.plugins):
        line("broken", "no plugin is installed", "nothing can draw", "pip install t2i")
        wrong += 1
    return 1 if wrong else 0


def _restore(name: str) -> str:
    """How to restore a file of a distribution."""
    source = editable_source(distribution(name))
    return f"restore the file in {source}" if source else f"pip install --force-reinstall {name}"


def _check_bundle(spec: WeightsSpec) -> str:
    """What is wrong with a bundled snapshot's weights file, or ""; the Hub is not asked."""
    if not spec.bundled:
        return ""
    from t2i.files import sha256_of

    try:
        weights = bundled_folder(spec) / "model.safetensors"
    except PluginError as error:
        return str(error).rstrip(".")
    if not weights.is_file():
        return f"{weights} is missing"
    try:
        return "" if sha256_of(weights) == spec.sha256 else f"{weights} is not the published file"
    except OSError as error:
        return f"{weights} cannot be read ({error.strerror})"
