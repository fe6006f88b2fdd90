"""Imports plugins in a child process, to detect those that end the process or never return.

The child reports every step before it takes it. If it ends or is silent for too long, the plugin of its last step is
reported, and another child continues with the next plugin.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from t2i.errors import PluginBrokenError, PluginError, T2IError
from t2i.files import read_text
from t2i.plain_yaml import load_yaml
from t2i.registry.choice import Choice
from t2i.registry.hookspecs import GROUP
from t2i.registry.installed import entry_points, facts
from t2i.registry.load import Loader
from t2i.registry.specs import Spec, load_target, packaged, targets
from t2i.registry.watch import Watch

LIMITS = {  # seconds
    "importing": 20.0,  # a plugin.py, which should take milliseconds; the first one includes the start of Python
    "resolving": 120.0,  # a target, which may import torch on a busy machine
}
MAX_RECIPE_BYTES = 200_000
CHILD = "from t2i.registry.probe import child; child()"


@dataclass
class Findings:
    """The results of the child processes.

    Attributes:
        fatal: why a plugin cannot be imported at all, by (entry point, distribution).
        problems: other problems of a plugin, by the same key.
    """

    fatal: dict[tuple[str, str], str] = field(default_factory=dict)
    problems: dict[tuple[str, str], list[str]] = field(default_factory=dict)


def probe(names: Collection[str] | None = None, limits: Mapping[str, float] | None = None) -> Findings:
    """Import every plugin that this process may load, and what some of them declare.

    Args:
        names: resolve everything that has one of these names, or comes from a distribution of that name; by default
            everything.
        limits: seconds for "importing" a plugin and for "resolving" a target.
    """
    limits = LIMITS | dict(limits or {})
    keys = [(entry.name, facts(distribution).name) for entry, distribution in entry_points(GROUP)]
    found, start = Findings(), 0
    while start < len(keys):
        start = _watch(found, keys, start, None if names is None else sorted(names), limits)
    return found


def _watch(
    found: Findings, keys: list[tuple[str, str]], start: int, names: list[str] | None, limits: Mapping[str, float]
) -> int:
    """Run one child from plugin `start` on; returns the plugin at which the next child starts."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", CHILD, json.dumps({"start": start, "names": names})],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    index, doing, what = start, "importing", ""
    try:
        while line := lines.get(timeout=limits[doing]):
            index, doing, what, *problem = json.loads(line)
            if doing == "done":
                return len(keys)
            if problem:
                found.problems.setdefault(keys[index], []).append(problem[0])
        if not what:
            raise PluginError(
                f"Plugins are first imported in another process, but that process ended ({_cause(process.wait())}) "
                f"before the first plugin. Install t2i-core again: pip install --force-reinstall t2i-core"
            )
        found.fatal[keys[index]] = f"{doing} {what} {_end(process.wait())}"
    except queue.Empty:
        found.fatal[keys[index]] = f"{doing} {what} takes more than {limits[doing]:g} s"
    finally:
        process.kill()
        process.wait()
    return index + 1


def _read(process: subprocess.Popen[bytes], lines: queue.Queue[bytes]) -> None:
    assert process.stdout is not None
    with process.stdout as stream:
        for line in stream:
            lines.put(line)
    lines.put(b"")


def _end(code: int) -> str:
    return f"{'kills' if code < 0 else 'ends'} the process with {_cause(code)}"


def _cause(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def child() -> None:
    """The child's main function; its argument says where it starts and which plugins' targets it imports."""
    report = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # keep plugins' output apart from the reports
    request = json.loads(sys.argv[1])
    with Watch() as watch:
        for step in _steps(request["start"], request["names"], watch):
            report.write(json.dumps(step) + "\n")
            report.flush()
    os._exit(0)  # without waiting for threads of plugins


def _steps(start: int, names: list[str] | None, watch: Watch) -> Iterator[tuple[object, ...]]:
    """Yields (plugin, "importing" or "resolving", what) before each step, and again, with its problem, if it fails."""
    loader, index = Loader(Choice.of_environment(), watch), start
    for index, (entry, distribution) in enumerate(entry_points(GROUP)[start:], start):
        yield index, "importing", entry.value
        plugin = loader.load(entry, distribution)
        whole = names is None or plugin.distribution in names
        for spec in plugin.specs:
            for what, resolve in _declared(spec) if whole or spec.name in (names or ()) else ():
                yield index, "resolving", what
                try:
                    resolve()
                except (T2IError, OSError, ValueError) as error:
                    yield index, "resolving", what, f"{spec.name}: {error}"
    yield index, "done", ""


def _declared(spec: Spec) -> Iterator[tuple[str, Callable[[], object]]]:
    """The targets and recipes of a spec, with functions that resolve them."""
    for target in targets(spec):
        yield target, partial(load_target, target)
    for recipe in getattr(spec, "recipes", {}).values():
        yield recipe, partial(_read_recipe, recipe)


def _read_recipe(reference: str) -> None:
    path = packaged(reference)
    try:
        load_yaml(read_text(path, MAX_RECIPE_BYTES))
    except (OSError, ValueError) as error:
        raise PluginBrokenError(f"the recipe {path} cannot be read ({error})") from None
