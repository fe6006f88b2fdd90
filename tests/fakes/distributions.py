"""Installs distributions with any contents, valid or not, into a folder on sys.path, as pip does."""

from __future__ import annotations

import importlib
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

from t2i.registry.discovery import discover

PREFIX = "fakedist_"
"""The prefix of every module of a fake distribution, so that all can be unloaded afterwards."""

PLUGIN = """
    from t2i.registry import DatasetSpec, EvaluatorSpec, ModelSpec, TextEncoderSpec, WeightsSpec, hookimpl

    T2I_API = {api}

    def model(name, kind="gan", target="nowhere:Nothing", **more):
        return ModelSpec(name=name, target=target, config=target, kind=kind, summary="a fake", paper="none", **more)

    def weights(model, tag, dataset="shapes", license="Apache-2.0", bundled=""):
        return WeightsSpec(model, tag, "0" * 64, 1, dataset, 16, license, "minilm", bundled=bundled)

    @hookimpl
    def t2i_models():
        return {models}

    @hookimpl
    def t2i_weights():
        return {weights}
"""

EMPTY = "from t2i.registry import hookimpl\nT2I_API = 1\n@hookimpl\ndef t2i_models():\n    return []\n"
"""A well-made plugin that declares nothing yet."""


@dataclass(frozen=True)
class FakeSite:
    """A site-packages folder."""

    folder: Path
    patch: pytest.MonkeyPatch

    def install(
        self,
        distribution: str,
        module: str,
        *,
        entry: str | None = None,
        version: str = "1.0",
        requires: Sequence[str] = (),
        files: Mapping[str, str] | None = None,
    ) -> str:
        """Install `distribution` with one plugin, a module with this source; returns the module's name.

        Args:
            entry: the entry point's name; by default the distribution's.
            files: additional or replaced metadata files.
        """
        name = PREFIX + distribution.replace("-", "_")
        (self.folder / f"{name}.py").write_text(dedent(module))
        lines = ["Metadata-Version: 2.1", f"Name: {distribution}", f"Version: {version}"]
        contents = {
            "METADATA": "\n".join([*lines, *(f"Requires-Dist: {line}" for line in requires)]) + "\n",
            "entry_points.txt": f"[t2i]\n{entry or distribution} = {name}\n",
        } | dict(files or {})
        information = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        information.mkdir()
        for file, content in contents.items():
            (information / file).write_text(content)
        self.refresh()
        return name

    def install_plugin(
        self, distribution: str, *, models: str = "[]", weights: str = "[]", api: str = "1", entry: str | None = None
    ) -> str:
        """Install a valid plugin; `models` and `weights` are Python expressions, see PLUGIN."""
        models, weights = " ".join(models.split()), " ".join(weights.split())
        return self.install(distribution, PLUGIN.format(models=models, weights=weights, api=api), entry=entry)

    def load_only(self, *names: str) -> None:
        """Load no plugins but these and the core's: `t2i doctor` then imports only what they declare."""
        self.patch.setenv("T2I_LOAD_PLUGINS", ",".join(names))
        self.refresh()

    def environment(self) -> dict[str, str]:
        """The variables of a process that sees these distributions."""
        paths = [str(self.folder), os.environ.get("PYTHONPATH", "")]
        return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}

    def refresh(self) -> None:
        """Clear the registry's cache, so that installed plugins are searched again."""
        importlib.invalidate_caches()
        discover.cache_clear()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSite]:
    """A folder for fake distributions, in addition to the real ones."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    found = FakeSite(folder, monkeypatch)
    found.refresh()
    yield found
    for name in [name for name in sys.modules if name.startswith(PREFIX)]:
        del sys.modules[name]
    monkeypatch.undo()
    found.refresh()


def install_project(project: Path) -> Path:
    """Install a project with its package in src, as `pip install -e` does; returns the folder for sys.path."""
    facts = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    source = project / "src"
    information = source / f"{facts['name'].replace('-', '_')}-{facts['version']}.dist-info"
    information.mkdir()
    head = {
        "Metadata-Version": "2.4",
        "Name": facts["name"],
        "Version": facts["version"],
        "Summary": facts["description"],
        "License-Expression": facts["license"],
        "License-File": facts["license-files"][0],
    }
    lines = [f"{key}: {value}" for key, value in head.items()]
    lines += [f"Requires-Dist: {line}" for line in facts["dependencies"]]
    readme = (project / facts["readme"]).read_text()
    (information / "METADATA").write_text("\n".join(lines) + f"\n\n{readme}")
    entries = "\n".join(f"{name} = {target}" for name, target in facts["entry-points"]["t2i"].items())
    (information / "entry_points.txt").write_text(f"[t2i]\n{entries}\n")
    return source
