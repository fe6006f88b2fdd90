"""`t2i check`: the report of an installed plugin, as text and as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from fakes.command_line import T2I
from fakes.distributions import FakeSite, install_project
from t2i.cli.new import check_kind, render
from t2i.registry.discovery import discover
from t2i.testing.checks.evaluators import EVALUATOR_CHECKS
from t2i.testing.checks.plugins import PLUGIN_CHECKS

BAD = (".clone()}", "}"), ("self._count.clone()", "self._count")
KNOWN = ('summary="how', 'expected_failures={"a_saved_state_does_not_change": "being fixed"}, summary="how')
TAKEN = "a_saved_state_does_not_change"


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, *changes: tuple[str, str]) -> None:
    """Install the evaluator that `t2i new` writes, with changes, until the end of the test."""
    for path, text in render("critic", check_kind("evaluator")).items():
        for old, new in changes:
            text = text.replace(old, new)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    monkeypatch.syspath_prepend(str(install_project(folder)))
    for name in [name for name in sys.modules if name.startswith("t2i_critic")]:
        monkeypatch.delitem(sys.modules, name)
    discover.cache_clear()


@pytest.fixture(autouse=True)
def unexamined(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not import plugins in a child process, except in tests of that; see tests/core/registry/test_probe.py."""
    if "site" in request.fixturenames and "examined" not in request.node.name:
        monkeypatch.setattr("t2i.registry.discovery.examine", lambda names: None)


@pytest.fixture
def project(site: FakeSite, tmp_path: Path) -> Path:
    """A folder for a project; `site` clears the registry's cache afterwards."""
    return tmp_path / "project"


def test_a_good_plugin_passes(t2i: T2I, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(project, monkeypatch)
    result = t2i("check", "critic")
    assert result.code == 0, result.out
    count = len(PLUGIN_CHECKS) + 1 + len(EVALUATOR_CHECKS)  # and that expected failures are checks
    assert f"critic: {count} passed, in" in result.out, result.out
    assert result.out.splitlines()[0] == "the distribution t2i-critic"
    assert "the evaluator critic" in result.out and "  pass    scores carry their protocol" in result.out


def test_a_failed_check_is_reported_with_reason_and_fix(
    t2i: T2I, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(project, monkeypatch, *BAD)
    result = t2i("check", "critic")
    lines = result.out.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("  FAIL    a saved state does not change"))
    assert result.code == 1
    assert lines[at + 1].strip() == "further updates change the state returned before, in count, sum"
    assert lines[at + 2].strip().startswith("why: ") and lines[at + 3].strip() == "fix it: return clones from `state`"
    assert "1 failed" in lines[-1]


def test_json_has_the_same_results(t2i: T2I, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(project, monkeypatch, *BAD, KNOWN)
    result = t2i("check", "t2i-critic", "--json")
    entries = {entry["check"]: entry for entry in json.loads(result.out)}
    assert result.code == 0
    assert entries[TAKEN]["outcome"] == "expected failure" and entries[TAKEN]["message"] == "being fixed"
    passed = entries["scores_carry_their_protocol"]
    assert passed["outcome"] == "passed" and passed["why"] and passed["remedy"] and passed["seconds"] >= 0
    assert {entry["section"] for entry in entries.values()} == {"the distribution t2i-critic", "the evaluator critic"}


def test_an_expected_failure_that_passes_is_reported(t2i: T2I, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(project, monkeypatch, KNOWN)
    result = t2i("check", "critic")
    assert result.code == 0
    assert "  fixed   a saved state does not change" in result.out and "remove it from expected_failures" in result.out


def test_an_expected_failure_of_an_unknown_check_is_a_failure(
    t2i: T2I, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(project, monkeypatch, (KNOWN[0], KNOWN[1].replace(TAKEN, "no_such_check")))
    result = t2i("check", "critic")
    assert result.code == 1 and "no_such_check" in result.out


@pytest.mark.parametrize(
    ("name", "fragment"),
    [("minilmm", "Did you mean 'minilm'"), ("no/such/thing", "no/such/thing"), ("cgan.no-such-tag", "no-such-tag")],
)
def test_an_unknown_name_is_a_one_line_error(t2i: T2I, name: str, fragment: str) -> None:
    assert fragment in t2i("check", name).error


def test_a_plugin_that_cannot_be_used_says_why(t2i: T2I, site: FakeSite) -> None:
    site.install("bad", "raise RuntimeError('boom')")
    assert "boom" in t2i("check", "bad").error


def test_single_checks_can_be_chosen(t2i: T2I, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(project, monkeypatch, *BAD)
    result = t2i("check", "critic", "--only", TAKEN, "--only", "is documented", "--skip", "is_documented")
    assert result.code == 1 and "critic: 1 failed, in" in result.out
    assert t2i("check", "critic", "--skip", TAKEN).code == 0
    assert "There is no check 'a_state'." in t2i("check", "critic", "--only", "a_state").error


def test_after_a_failed_construction_the_rest_is_skipped(
    t2i: T2I, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(project, monkeypatch, ("def __init__(self) -> None:", "def __init__(self) -> None:\n        1 / 0"))
    result = t2i("check", "critic", "--only", TAKEN, "--only", "is_documented", "--only", "scores_carry_their_protocol")
    assert result.code == 1
    assert result.out.count("ZeroDivisionError") == 1 and "  FAIL    can be made" in result.out
    assert "  skip    scores carry their protocol" in result.out and "3 skipped" in result.out


def test_an_error_is_reported_with_its_place(t2i: T2I, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(project, monkeypatch, (".clone()}", ".clone(), 'x': 1 / 0}"))
    result = t2i("check", "critic", "--only", TAKEN, "--json")
    (entry,) = (entry for entry in json.loads(result.out) if entry["check"] == TAKEN)
    assert "ZeroDivisionError" in entry["message"] and entry["remedy"].startswith("correct this error, in evaluator.py")


def test_a_plugin_is_examined_in_another_process_first(
    t2i: T2I, site: FakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.install("exits", "import os; os._exit(0)")
    monkeypatch.setenv("T2I_LOAD_PLUGINS", "exits")
    assert "ends the process with exit code 0" in t2i("check", "exits").error
