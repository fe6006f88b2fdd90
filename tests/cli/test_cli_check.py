"""`t2i check`: the report of an installed plugin, for people and for programs."""

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
KNOWN = ('summary="how', 'expected_failures={"a_state_stays_as_it_was_taken": "being fixed"}, summary="how')
TAKEN = "a_state_stays_as_it_was_taken"


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, *changes: tuple[str, str]) -> None:
    """The evaluator `t2i new` writes, changed; forgotten again with the test's monkeypatch."""
    for path, text in render("judge", check_kind("evaluator")).items():
        for old, new in changes:
            text = text.replace(old, new)
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    monkeypatch.syspath_prepend(str(install_project(folder)))
    for name in [name for name in sys.modules if name.startswith("t2i_judge")]:
        monkeypatch.delitem(sys.modules, name)
    discover.cache_clear()


@pytest.fixture
def project(site: FakeSite, tmp_path: Path) -> Path:
    """A folder for a project; `site` forgets the registry afterwards."""
    return tmp_path / "project"


def test_a_good_plugin_passes(t2i: T2I, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(project, monkeypatch)
    result = t2i("check", "judge")
    count = len(PLUGIN_CHECKS) + 1 + len(EVALUATOR_CHECKS)  # and that expected failures are checks
    assert result.code == 0, result.out
    assert f"judge: {count} passed, in" in result.out
    assert result.out.splitlines()[0] == "the distribution t2i-judge"
    assert "the evaluator judge" in result.out and "  pass    scores carry their protocol" in result.out


def test_a_broken_promise_is_told_with_why_and_remedy(t2i: T2I, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(project, monkeypatch, *BAD)
    result = t2i("check", "judge")
    lines = result.out.splitlines()
    at = lines.index("  FAIL    a state stays as it was taken")
    assert result.code == 1
    assert lines[at + 1].strip() == "further updates change the state returned before, in count, sum"
    assert lines[at + 2].strip().startswith("why: ") and lines[at + 3].strip() == "fix it: return clones from `state`"
    assert "1 failed" in lines[-1]


def test_programs_read_the_same_as_json(t2i: T2I, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(project, monkeypatch, *BAD, KNOWN)
    result = t2i("check", "t2i-judge", "--json")
    entries = {entry["check"]: entry for entry in json.loads(result.out)}
    assert result.code == 0
    assert entries[TAKEN]["outcome"] == "expected failure" and entries[TAKEN]["message"] == "being fixed"
    passed = entries["scores_carry_their_protocol"]
    assert passed["outcome"] == "passed" and passed["why"] and passed["remedy"] and passed["seconds"] >= 0
    assert {entry["section"] for entry in entries.values()} == {"the distribution t2i-judge", "the evaluator judge"}


def test_a_declared_failure_that_passes_is_told(t2i: T2I, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(project, monkeypatch, KNOWN)
    result = t2i("check", "judge")
    assert result.code == 0
    assert "  fixed   a state stays as it was taken" in result.out and "remove it from expected_failures" in result.out


def test_a_declared_failure_of_no_check_is_a_broken_promise(
    t2i: T2I, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(project, monkeypatch, (KNOWN[0], KNOWN[1].replace(TAKEN, "no_such_check")))
    result = t2i("check", "judge")
    assert result.code == 1 and "no_such_check" in result.out


@pytest.mark.parametrize(
    ("name", "told"),
    [("minilmm", "Did you mean 'minilm'"), ("no/such/thing", "no/such/thing"), ("cgan.no-such-tag", "no-such-tag")],
)
def test_a_name_nobody_has_is_one_line(t2i: T2I, name: str, told: str) -> None:
    assert told in t2i("check", name).error


def test_a_plugin_that_cannot_be_used_says_why(t2i: T2I, site: FakeSite) -> None:
    site.install("bad", "raise RuntimeError('boom')")
    assert "boom" in t2i("check", "bad").error
