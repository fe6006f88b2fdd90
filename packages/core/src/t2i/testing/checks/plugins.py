"""What every distribution with a plugin promises; the subject is its name."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import suppress
from email.message import Message
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from typing import Any, cast

from t2i.errors import OfflineError
from t2i.files import cache_home
from t2i.hub.client import offline
from t2i.registry.discovery import registry
from t2i.registry.hookspecs import GROUP
from t2i.registry.installed import entry_points, facts, unmet
from t2i.registry.plugin import CORE, Plugin
from t2i.registry.specs import Spec, load_target, targets
from t2i.testing.checks.check import Checks
from t2i.testing.checks.probes import WRITING, watched
from t2i.testing.checks.roles.role import checked
from t2i.version import __version__

PLUGIN_CHECKS: Checks[str] = Checks()
IMPORT_BUDGET = 0.1  # s of CPU time, in addition to what `t2i models` imports anyway
HEAVY = (
    "PIL", "accelerate", "cv2", "datasets", "diffusers", "huggingface_hub", "jax", "matplotlib", "numpy", "pandas",
    "pydantic", "safetensors", "scipy", "sklearn", "tensorflow", "timm", "torch", "torchmetrics", "torchvision",
    "transformers",
)  # fmt: skip
IMPORTING = f"""
import importlib, json, os, sys, time
import t2i.registry.describe
written, before, start = [], set(sys.modules), time.process_time()
def hear(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & {WRITING}:
        written.append(os.fsdecode(arguments[0]) if not isinstance(arguments[0], int) else "")
    elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.rename"):
        written.append(os.fsdecode(arguments[0]))
sys.addaudithook(hear)
importlib.import_module(sys.argv[1])
seconds, modules = time.process_time() - start, sorted({{*sys.modules}} - before)
print(json.dumps({{"seconds": seconds, "modules": modules, "written": written}}))
"""


@PLUGIN_CHECKS.add(
    why="a plugin that cannot be loaded, or whose names clash with another's, cannot be used",
    remedy="`t2i doctor` shows the problem and the command that fixes it",
)
def is_found_and_works(distribution: str) -> None:
    for plugin in _plugins(distribution):
        assert plugin.state == "ok", f"the plugin {plugin.name!r} is {plugin.state}: {plugin.reason}"
    for clash in registry().clashes:
        assert distribution not in clash.distributions, f"a name must have one owner, but {clash.reason}"


@PLUGIN_CHECKS.add(
    why="`t2i models` and `t2i --help` import every plugin.py, so a heavy one slows them down by seconds",
    remedy="import only t2i.registry in plugin.py (and in the package's __init__.py); name targets as text",
)
def listing_imports_nothing_heavy(distribution: str) -> None:
    for entry in _entries(distribution):
        tries = []
        for _ in range(3):  # the best time counts, because the machine may be busy
            tries.append(_imported(entry.module))
            heavy = sorted({*HEAVY} & {*tries[-1]["modules"]})
            assert not heavy, f"importing {entry.module} imports {', '.join(heavy)}"
            if tries[-1]["seconds"] <= IMPORT_BUDGET:
                break
        best = min(each["seconds"] for each in tries)
        assert best <= IMPORT_BUDGET, f"importing {entry.module} takes {best:.2f} s; the budget is {IMPORT_BUDGET} s"


@PLUGIN_CHECKS.add(
    why="every command imports plugin.py, in any folder",
    remedy="write no file while plugin.py is imported; make what a target needs when the target is used",
)
def listing_writes_nothing(distribution: str) -> None:
    for entry in _entries(distribution):
        written = [path for path in _imported(entry.module)["written"] if "__pycache__" not in path]
        assert not written, f"importing {entry.module} must write nothing, but wrote {', '.join(written)}"


@PLUGIN_CHECKS.add(
    why="t2i reads it before importing a plugin, so that one for another core is reported and not run",
    remedy='depend on a range, such as "t2i-core>=0.1,<0.2"',
)
def says_which_core_it_needs(distribution: str) -> None:
    from packaging.requirements import Requirement

    if distribution == CORE:
        return
    needs = facts(_distribution(distribution)).requires_core
    assert needs, f"{distribution} must depend on t2i-core, but its metadata has no such requirement"
    for need in needs:
        unfit = unmet(need, __version__)
        assert unfit is None, unfit.reason if unfit else ""
    ends = {part.operator for need in needs for part in Requirement(need).specifier}
    assert ends & {"<", "<=", "==", "~="}, f"the range of cores must have an upper end, but {', '.join(needs)} has none"


@PLUGIN_CHECKS.add(
    why="without a licence nobody may use it",
    remedy='in pyproject.toml: license = "MIT" (an SPDX expression) and license-files = ["LICENSE"]',
)
def says_its_licence(distribution: str) -> None:
    head = _metadata(distribution)
    classified = [line for line in head.get_all("Classifier") or () if str(line).startswith("License ::")]
    assert head["License-Expression"] or head["License"] or classified, f"the metadata of {distribution} has no licence"
    shipped = [path.name for path in _distribution(distribution).files or ()]
    filed = head["License-File"] or [name for name in shipped if re.match("(?i)(licen[cs]e|copying)", name)]
    assert filed, f"{distribution} ships no licence file"


@PLUGIN_CHECKS.add(
    why="people do not trust a package page without a description",
    remedy='in pyproject.toml: description = "..." and readme = "README.md"',
)
def has_a_summary_and_a_readme(distribution: str) -> None:
    head = _metadata(distribution)
    assert head["Summary"], f"{distribution} has no summary"
    readme = head["Description"] or head.get_payload()
    assert str(readme or "").strip(), f"{distribution} has no readme"


@PLUGIN_CHECKS.add(
    why="everything declared is listed, and people will use it",
    remedy="fix the path in plugin.py, or ship the file it names",
)
def what_it_declares_is_there(distribution: str) -> None:
    for spec in _specs(distribution):
        for target in targets(spec):
            load_target(target)
        checked(spec).check_files(spec)


@PLUGIN_CHECKS.add(
    why="`t2i models` shows what plugin.py declares, but a run records what the code says",
    remedy="use the same name, config, options, licence and least_pictures in plugin.py and in the class",
)
def declares_what_the_code_says(distribution: str) -> None:
    for spec in _specs(distribution):
        declared, said = checked(spec).says(spec)
        assert declared == said, f"plugin.py declares {declared}, but the code says {said}"


@PLUGIN_CHECKS.add(
    why="local files must work offline, and missing files must give one clear error",
    remedy="honour HF_HUB_OFFLINE (huggingface_hub does), and raise t2i.errors.OfflineError if files are missing",
)
def no_network_is_reached_when_offline(distribution: str) -> None:
    with offline(), watched(unplugged=True) as touched:
        for spec in _specs(distribution):
            _make(spec)
    assert not touched.reached, (
        f"offline, no address may be reached, but {', '.join(sorted({*touched.reached}))} was tried"
    )


@PLUGIN_CHECKS.add(
    why="a plugin must not write in users' folders; its files belong in its package or a cache",
    remedy="keep files that can be recreated under t2i.files.cache_home(), and Hub files in huggingface_hub's cache",
)
def nothing_is_written_outside_of_caches(distribution: str) -> None:
    with offline(), watched(unplugged=True) as touched:
        for spec in _specs(distribution):
            _make(spec)
    caches = (str(cache_home()), os.environ.get("HF_HOME") or str(Path.home() / ".cache" / "huggingface"))
    elsewhere = [path for path in touched.written if not path.startswith(caches) and "__pycache__" not in path]
    assert not elsewhere, f"creating what it declares must write only in caches, but also wrote {', '.join(elsewhere)}"


@PLUGIN_CHECKS.add(
    why="`help(...)` is where people look first",
    remedy="begin every module and every declared class with a docstring",
)
def is_documented(distribution: str) -> None:
    declared = [target for spec in _specs(distribution) for target in targets(spec)]
    modules = {entry.module for entry in _entries(distribution)} | {target.partition(":")[0] for target in declared}
    bare = [name for name in sorted(modules) if not (import_module(name).__doc__ or "").strip()]
    bare += [target for target in declared if not _own_docstring(load_target(target)).strip()]
    assert not bare, f"modules and declared classes must have docstrings, but {', '.join(bare)} has none"


def _imported(module: str) -> dict[str, Any]:
    """The effects of importing `module` in a new process: seconds, other modules, files written."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", IMPORTING, module]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, f"importing {module} fails: {done.stderr.strip().splitlines()[-1:]}"
    return dict(json.loads(done.stdout.splitlines()[-1]))


def _plugins(distribution: str) -> list[Plugin]:
    found = [plugin for plugin in registry().plugins if plugin.distribution == distribution]
    assert found, f"{distribution} must be installed with an entry point in the group {GROUP!r}, but there is none"
    return found


def _specs(distribution: str) -> list[Spec]:
    return [spec for plugin in _plugins(distribution) for spec in plugin.specs]


def _entries(distribution: str) -> list[EntryPoint]:
    found = [entry for entry, owner in entry_points(GROUP) if facts(owner).name == distribution]
    assert found, f"{distribution} must be installed with an entry point in the group {GROUP!r}, but there is none"
    return found


def _distribution(distribution: str) -> Distribution:
    _plugins(distribution)
    return next(owner for _, owner in entry_points(GROUP) if facts(owner).name == distribution)


def _metadata(distribution: str) -> Message:
    return cast(Message, _distribution(distribution).metadata)


def _own_docstring(value: object) -> str:
    """The docstring; of a class, not an inherited one."""
    return str((vars(value).get("__doc__") if isinstance(value, type) else value.__doc__) or "")


def _make(spec: Spec) -> None:
    """Create what is declared; OfflineError is an acceptable result."""
    with suppress(OfflineError):
        checked(spec).make(spec)
