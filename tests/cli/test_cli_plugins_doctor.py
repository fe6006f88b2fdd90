"""`t2i plugins` and `t2i doctor`: each plugin's state, the reason, and the command that fixes it."""

from __future__ import annotations

import json

import pytest

from fakes.command_line import T2I
from fakes.distributions import FakeSite
from t2i.registry.discovery import examine


@pytest.fixture(autouse=True)
def only_plugins_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not import what plugins declare, which takes seconds; one test does."""
    monkeypatch.setattr("t2i.cli.doctor.examine", lambda: examine([]))


UNWELL = {
    "broken": ("raise RuntimeError('boom')", "RuntimeError: boom", "pip install --upgrade --force-reinstall bad"),
    "incompatible": ("T2I_API = 99", "plugin API 99", "pip install --upgrade t2i-core"),
}


def test_a_healthy_installation_has_no_problems(t2i: T2I) -> None:
    result = t2i("doctor")
    assert result.code == 0
    assert all(line.startswith("ok ") for line in result.out.splitlines())
    for distribution in ("t2i-cgan", "t2i-openmoji", "t2i-starter", "t2i-text-hf"):
        assert distribution in result.out


@pytest.mark.parametrize("state", UNWELL)
def test_doctor_names_the_broken_plugin_and_the_fix(t2i: T2I, site: FakeSite, state: str) -> None:
    source, reason, remedy = UNWELL[state]
    site.install("bad", source)
    result = t2i("doctor")
    lines = result.out.splitlines()
    (message,) = [index for index, line in enumerate(lines) if "plugin bad" in line]
    assert result.code == 1
    assert lines[message].startswith(state) and reason in lines[message]
    assert remedy in lines[message + 1]
    assert sum(line.startswith("ok ") for line in lines) >= 4


def test_a_disabled_plugin_is_listed_but_is_not_a_problem(
    t2i: T2I, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("bad", "raise RuntimeError('boom')")
    monkeypatch.setenv("T2I_DISABLE_PLUGINS", "bad")
    result = t2i("doctor")
    assert result.code == 0
    assert "disabled" in result.out and "remove it from T2I_DISABLE_PLUGINS" in result.out


def test_doctor_names_both_distributions_of_a_clash(t2i: T2I, site: FakeSite) -> None:
    site.install_plugin("first", models='[model("twice")]')
    site.install_plugin("second", models='[model("twice")]')
    result = t2i("doctor")
    assert result.code == 1
    assert "clash" in result.out and "first and second" in result.out
    assert "pip uninstall first or pip uninstall second" in result.out


def test_doctor_counts_all_problems(t2i: T2I, site: FakeSite) -> None:
    site.install("bad", "exit(0)")
    site.install("later", "T2I_API = 99")
    site.install_plugin("first", models='[model("twice")]')
    site.install_plugin("second", models='[model("twice")]')
    result = t2i("doctor")
    assert result.code == 1
    states = [line.split()[0] for line in result.out.splitlines() if not line.startswith(" ")]
    assert {"broken", "incompatible", "clash", "ok"} <= set(states)


@pytest.mark.parametrize(
    ("bundled", "message"), [("json:weights", "is missing"), ("no_such_package:weights", "no_such_package")]
)
def test_doctor_finds_missing_bundled_weights(t2i: T2I, site: FakeSite, bundled: str, message: str) -> None:
    site.install_plugin("zoo", models='[model("zoo")]', weights=f'[weights("zoo", "here", bundled="{bundled}")]')
    result = t2i("doctor")
    assert result.code == 1
    assert message in result.out and "pip install --force-reinstall zoo" in result.out


def test_doctor_finds_bundled_weights_that_are_not_the_published_ones(t2i: T2I, site: FakeSite) -> None:
    site.install_plugin("zoo", models='[model("zoo")]', weights='[weights("zoo", "here", bundled="zoo_files:w")]')
    (site.folder / "zoo_files" / "w").mkdir(parents=True)
    (site.folder / "zoo_files" / "__init__.py").touch()
    (site.folder / "zoo_files" / "w" / "model.safetensors").write_bytes(b"changed")
    result = t2i("doctor")
    assert result.code == 1 and "not the published file" in result.out


def test_without_plugins_doctor_says_what_to_install(t2i: T2I, monkeypatch: pytest.MonkeyPatch) -> None:
    from t2i.registry import discovery

    ours = [found for found in discovery._entry_points() if found[1].name == "t2i-core"]
    monkeypatch.setattr(discovery, "_entry_points", lambda: ours)
    discovery.discover.cache_clear()
    result = t2i("doctor")
    discovery.discover.cache_clear()
    assert result.code == 1 and "pip install t2i" in result.out


def test_plugins_lists_each_with_its_state(t2i: T2I, site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    site.install("bad", "raise RuntimeError('boom')")
    site.install_plugin("zoo", models='[model("zoo-ant"), model("zoo-bee")]')
    result = t2i("plugins")
    assert result.code == 0
    rows = {line.split()[0]: line for line in result.out.splitlines()}
    assert "broken" in rows["bad"] and "RuntimeError: boom" in rows["bad"]
    assert "ok" in rows["zoo"] and "zoo-ant, zoo-bee" in rows["zoo"]
    assert "ok" in rows["cgan"]


def test_plugins_as_json_parses(t2i: T2I, site: FakeSite) -> None:
    site.install("bad", "raise RuntimeError('boom')")
    site.install_plugin("zoo", models='[model("zoo-ant")]')
    entries = {entry["name"]: entry for entry in json.loads(t2i("plugins", "--json").out)}
    assert entries["bad"]["state"] == "broken" and entries["bad"]["remedy"]
    assert [spec["name"] for spec in entries["zoo"]["specs"]] == ["zoo-ant"]
    assert entries["cgan"]["distribution"] == "t2i-cgan"


def test_a_variable_that_names_an_unknown_plugin_is_reported(t2i: T2I, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T2I_DISABLE_PLUGINS", "cgna")
    result = t2i("doctor")
    assert result.code == 1 and "T2I_DISABLE_PLUGINS names 'cgna', but no plugin has that name" in result.out


DREADFUL = {
    "raises": "raise RuntimeError('[/red] \\ud800 [bold]')",
    "no-python": "def f(:",
    "exits": "import sys; sys.exit(3)",
    "recurses": "def f():\n    return f()\nf()",
    "hook-with-arguments": "import pluggy\nT2I_API = 1\n@pluggy.HookimplMarker('t2i')\ndef t2i_models(x):\n    pass",
    "needs-more": "import no_such_module",
    "unspeakable": "class E(BaseException):\n    def __str__(self):\n        raise self\nraise E",
    "later": "T2I_API = 99",
    "odd-api": "class A(int):\n    def __eq__(self, other):\n        raise ValueError\nT2I_API = A(1)",
}


@pytest.mark.parametrize("verb", ["doctor", "plugins", "models"])
@pytest.mark.parametrize("strict", ["", "1"])
def test_no_installed_plugin_stops_listing_commands(
    t2i: T2I, site: FakeSite, monkeypatch: pytest.MonkeyPatch, verb: str, strict: str
) -> None:
    for name, source in DREADFUL.items():
        site.install(name, source)
    site.install("no-entry-points", "T2I_API = 1", files={"entry_points.txt": "[t2i]\nbad = not a module !\n"})
    site.install("no-metadata", "T2I_API = 1", files={"METADATA": ""})
    site.install_plugin("zoo", models='[model("zoo")]', weights='[weights("zoo", "w", bundled="fakedist_exits:w")]')
    monkeypatch.setenv("T2I_STRICT_PLUGINS", strict)
    result = t2i(verb)
    if strict and verb == "models":
        assert "is broken" in result.error or "is incompatible" in result.error
        return
    assert result.code == (1 if verb == "doctor" else 0)
    if verb == "doctor":
        assert all(f"({name} " in result.out for name in (*DREADFUL, "no-entry-points", "no_metadata"))
        assert "[/red]" in result.out and "weights zoo.w" in result.out
        assert "ok           plugin cgan" in result.out


def test_doctor_imports_what_is_declared_in_another_process(
    t2i: T2I, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("t2i.cli.doctor.examine", examine)
    monkeypatch.setenv("T2I_LOAD_PLUGINS", "exits,lost,zoo")
    site.install("exits", "import os; os._exit(0)")
    site.install_plugin("lost", models='[model("lost")]')
    site.install_plugin("zoo", models='[model("zoo-ant", target="pathlib:Path")]')
    result = t2i("doctor")
    assert result.code == 1
    assert "importing fakedist_exits ends the process with exit code 0" in result.out
    assert "lost: Everything a plugin declares must be importable, but nowhere:Nothing raised" in result.out
    assert "ok           plugin zoo" in result.out


def test_doctor_names_a_distribution_that_is_installed_twice(t2i: T2I, site: FakeSite) -> None:
    site.install_plugin("zoo")
    (site.folder / "zoo-1.0.dist-info").rename(site.folder / "zoo-0.9.dist-info")
    site.install_plugin("zoo")
    result = t2i("doctor")
    line = next(line for line in result.out.splitlines() if line.startswith("twice"))
    assert result.code == 1 and "distribution zoo" in line and "zoo-0.9" in line and "zoo-1.0" in line
