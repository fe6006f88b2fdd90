"""`t2i models`: installed and available models, as a table or as JSON."""

from __future__ import annotations

import json

import pytest

import t2i as library
from fakes.command_line import T2I
from fakes.distributions import FakeSite
from t2i.registry.discovery import registry
from t2i.registry.specs import HubModelSpec

WEIGHTS = '[weights("zoo-ant", "sand", dataset="dunes", license="MIT")]'


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal in which no cell is cut."""
    monkeypatch.setenv("COLUMNS", "240")


def test_the_table_shows_techniques_and_their_weights(t2i: T2I, site: FakeSite, wide: None) -> None:
    site.install_plugin("zoo", models='[model("zoo-ant")]', weights=WEIGHTS)
    result = t2i("models", "zoo")
    assert result.code == 0
    technique, weights = [line.split() for line in result.out.splitlines() if "zoo-ant" in line]
    assert technique[:2] == ["zoo-ant", "gan"]
    assert weights == ["zoo-ant.sand", "dunes", "16", "0.0", "MiB", "MIT"]


def test_the_table_names_everything_listed(t2i: T2I, wide: None) -> None:
    shown = {line.split()[0] for line in t2i("models").out.splitlines() if line.strip()}
    headings = {"model", "pretrained", "on", "not"}  # the first words of "on the Hub" and "not installed"
    hub = {spec.name for spec, _ in registry().all(HubModelSpec)}
    assert hub < shown
    assert shown - headings - hub == {*library.list_models(installed=False), *library.list_models(pretrained=True)}


def test_json_holds_what_model_info_knows(t2i: T2I, site: FakeSite) -> None:
    site.install_plugin("zoo", models='[model("zoo-ant"), model("zoo-bee")]', weights=WEIGHTS)
    entries = json.loads(t2i("models", "zoo", "--json").out)
    assert [entry["name"] for entry in entries] == library.list_models("zoo") == ["zoo-ant", "zoo-bee"]
    assert [weights["tag"] for weights in entries[0]["weights"]] == ["sand"]
    assert entries[0]["distribution"] == "zoo" and entries[1]["weights"] == []


def test_pretrained_lists_only_models_with_weights(t2i: T2I, site: FakeSite) -> None:
    site.install_plugin("zoo", models='[model("zoo-ant"), model("zoo-bee")]', weights=WEIGHTS)
    assert [entry["name"] for entry in json.loads(t2i("models", "zoo", "--json", "--pretrained").out)] == ["zoo-ant"]


def test_a_pattern_without_matches_lists_nothing(t2i: T2I) -> None:
    result = t2i("models", "no such model", "--json")
    assert (result.code, json.loads(result.out)) == (0, [])


def test_a_pattern_also_chooses_models_of_the_hub(t2i: T2I, wide: None) -> None:
    hub = sorted(spec.name for spec, _ in registry().all(HubModelSpec) if spec.name.startswith("sd"))
    lines = t2i("models", "sd*").out.splitlines()
    assert hub and sorted(line.split()[0] for line in lines if line.startswith("sd")) == hub


def test_unusable_plugins_and_clashes_do_not_stop_the_list(t2i: T2I, site: FakeSite) -> None:
    site.install("t2i-later", "raise RuntimeError('boom')", entry="later")
    site.install_plugin("first", models='[model("cvae")]')
    site.install_plugin("second", models='[model("cvae")]')
    result = t2i("models", "--json")
    assert result.code == 0
    assert "cgan" in [entry["name"] for entry in json.loads(result.out)]
    table = t2i("models")
    assert table.code == 0 and "'later' is broken" in table.err and "t2i doctor" in table.err


def test_a_table_fits_the_terminal(t2i: T2I, site: FakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    site.install_plugin("zoo", models='[model(f"zoo-animal-{n}") for n in range(9)]')
    lines = t2i("plugins").out.splitlines()
    assert max(map(len, lines)) <= 80
    (start,) = [number for number, line in enumerate(lines) if line.startswith("zoo ")]
    column = lines[start].index("models zoo-animal-0")
    assert lines[start + 1][:column].isspace() and lines[start + 1][column:].startswith("zoo-animal-")
