"""`t2i` lists all declared verbs, imports only the one that is run, and reports verbs that cannot be used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fakes.command_line import T2I
from fakes.distributions import FakeSite
from t2i.cli.plugin import t2i_commands
from t2i.registry import catalogue
from t2i.registry.discovery import discover
from t2i.registry.specs import CommandSpec, load_target
from t2i.testing.installed import sections

VERBS = """
    from t2i.registry import CommandSpec, hookimpl

    T2I_API = 1

    @hookimpl
    def t2i_commands():
        return [{commands}]
"""
SINGING = '''
"""Verbs that sing."""

from typing import Annotated

import typer

from t2i.errors import InvalidInputError

choir = typer.Typer(help="Sing together.", no_args_is_help=True)


def sing(words: Annotated[str, typer.Argument(help="What to sing.")], times: int = 1) -> int:
    """Sing some words."""
    if times < 1:
        raise InvalidInputError(f"--times must be 1 or more, got {times}.")
    print(" ".join([words] * times))
    return 7 if words == "off key" else 0


@choir.command()
def high() -> None:
    """Sing high."""
    print("la")


@choir.command()
def low() -> None:
    """Sing low."""
    print("mm")
'''


def declare(site: FakeSite, distribution: str, commands: str) -> None:
    site.install(distribution, VERBS.format(commands=commands))


@pytest.fixture
def singer(site: FakeSite) -> str:
    """A plugin with the verbs `sing` and `choir`; returns the module that holds them."""
    (site.folder / "fakedist_singing.py").write_text(SINGING)
    declare(
        site,
        "singer",
        'CommandSpec("sing", "fakedist_singing:sing", "Sing some words."), '
        'CommandSpec("choir", "fakedist_singing:choir", "Sing together.")',
    )
    return "fakedist_singing"


def test_help_lists_every_verb_and_imports_none(t2i: T2I, singer: str) -> None:
    result = t2i("--help")
    assert result.code == 0 and result.err == ""
    listed = [line.split()[0] for line in result.out.splitlines() if line.startswith("  ")]
    own = [spec.name for spec in t2i_commands()]
    assert sorted(listed) == sorted(spec.name for spec, _ in discover().all(CommandSpec))
    assert listed[: len(own)] == own, "the core's verbs come first"
    assert {"generate", "data", "sing", "choir"} <= {*listed} and "Sing some words." in result.out
    assert singer not in sys.modules


def test_only_the_verb_that_is_run_is_imported(site: FakeSite, singer: str) -> None:
    code = "import sys; sys.argv = ['t2i', 'sing', 'la']\nimport atexit\n"
    code += "seen = lambda: [name for name in sys.modules if name.startswith(('t2i.cli', 'fakedist'))]\n"
    code += "atexit.register(lambda: print(*seen()))\n"
    code += "from t2i.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env=site.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    song, modules = done.stdout.splitlines()
    assert song == "la"
    assert {*modules.split()} == {
        *("t2i.cli", "t2i.cli.main", "t2i.cli.console", "t2i.cli.plugin"),
        *("fakedist_singer", "fakedist_singing"),
    }


def test_a_plugins_verb_runs_like_the_cores(t2i: T2I, singer: str) -> None:
    assert t2i("sing", "la", "--times", 2).out == "la la\n"
    assert t2i("sing", "off key").code == 7
    assert t2i("sing", "la", "--times", 0).error.endswith("--times must be 1 or more, got 0.")
    assert "See `t2i sing --help`" in t2i("sing", "la", "--loud").error
    assert "Usage: t2i sing" in t2i("sing", "--help").out and "What to sing." in t2i("sing", "--help").out


def test_a_verb_may_have_subcommands(t2i: T2I, singer: str) -> None:
    assert (t2i("choir", "high").out, t2i("choir", "low").out) == ("la\n", "mm\n")
    assert "Usage: t2i choir low" in t2i("choir", "low", "--help").out
    assert "See `t2i choir --help`" in t2i("choir", "middle").error
    for arguments in (["choir"], ["choir", "--help"]):
        result = t2i(*arguments)
        assert result.code == 0 and "Sing high." in result.out and result.err == ""


def test_an_unknown_verb_is_suggested(t2i: T2I, singer: str) -> None:
    assert "There is no command 'snig'. Did you mean 'sing'?" in t2i("snig").error


def test_a_known_verb_that_is_not_installed_says_how_to_install_it(t2i: T2I, monkeypatch: pytest.MonkeyPatch) -> None:
    known = catalogue.KnownPlugin("t2i-hum", "commands", "hums", {CommandSpec: ("hum",)})
    monkeypatch.setattr(catalogue, "KNOWN_PLUGINS", (known,))
    assert "The command 'hum' is not installed. Get it: pip install t2i-hum." in t2i("hum").error


def test_a_verb_that_two_plugins_declare_is_reported_on_use(t2i: T2I, site: FakeSite, singer: str) -> None:
    declare(site, "other", 'CommandSpec("sing", "fakedist_singing:sing", "Sing.")')
    message = "the command 'sing' is declared by other and singer"
    assert message in t2i("sing", "la").error
    result = t2i("--help")
    assert result.code == 0 and "  sing " not in result.out and "  choir " in result.out
    assert [line for line in result.err.splitlines() if message in line]


def test_no_plugin_can_replace_a_verb_of_the_core(t2i: T2I, site: FakeSite) -> None:
    declare(site, "greedy", 'CommandSpec("doctor", "nowhere:nothing", "Not the doctor.")')
    site.load_only("greedy")
    result = t2i("doctor")
    assert result.code == 1
    assert "the command 'doctor' is declared by t2i-core and greedy (t2i-core keeps it)" in result.out
    assert "fix it: pip uninstall greedy" in result.out


@pytest.mark.parametrize("strict", ["", "1"])
def test_a_broken_plugin_is_reported_and_the_other_verbs_work(
    t2i: T2I, site: FakeSite, singer: str, monkeypatch: pytest.MonkeyPatch, strict: str
) -> None:
    monkeypatch.setenv("T2I_STRICT_PLUGINS", strict)
    site.install("bad", "raise RuntimeError('boom')")
    result = t2i("--help")
    assert result.code == 0 and "  sing " in result.out
    assert result.err == "warning: the plugin 'bad' is broken; `t2i doctor` says why\n"
    assert "RuntimeError: boom" in t2i("bad").error
    assert t2i("sing", "la").out == "la\n"


@pytest.mark.parametrize("target", ["nowhere:nothing", "fakedist_singing:no_such_verb"])
def test_a_verb_that_cannot_be_imported_is_a_one_line_error(t2i: T2I, site: FakeSite, singer: str, target: str) -> None:
    declare(site, "other", f'CommandSpec("hum", "{target}", "Hum.")')
    assert target in t2i("hum").error


def test_the_cores_verbs_cannot_be_disabled(t2i: T2I, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("T2I_LOAD_PLUGINS", "")
    monkeypatch.setenv("T2I_DISABLE_PLUGINS", "commands,t2i-core")
    discover.cache_clear()
    listed, asked = t2i("--help").out, t2i("doctor").out
    discover.cache_clear()
    assert "  generate " in listed and "ok           plugin commands" in asked


def test_metadata_older_than_the_code_is_reported(t2i: T2I, monkeypatch: pytest.MonkeyPatch) -> None:
    from t2i.registry import discovery

    monkeypatch.setattr(discovery, "_entry_points", list)
    monkeypatch.setattr("t2i.cli.doctor.examine", lambda: None)
    discover.cache_clear()
    message = [t2i(verb).error for verb in ("--help", "doctor")]
    discover.cache_clear()
    assert all("pip install --force-reinstall t2i-core" in each for each in message)


def test_declared_verbs_are_checked(site: FakeSite, singer: str) -> None:
    declare(site, "mute", 'CommandSpec("mime", "collections:Counter", "Say\\n nothing.")')
    assert [outcome.state for outcome in sections("sing")[1].outcomes()] == ["passed", "passed"]
    assert [outcome.state for outcome in sections("choir")[1].outcomes()] == ["passed", "passed"]
    assert next(outcome.state for outcome in sections("mime")[1].outcomes()) == "failed"


CORE = [spec for spec, plugin in discover().all(CommandSpec) if plugin.distribution == "t2i-core"]


@pytest.mark.parametrize("spec", CORE, ids=lambda spec: spec.name)
def test_every_verb_of_the_core_passes_the_checks(spec: CommandSpec) -> None:
    (section,) = [section for section in sections(spec.name) if section.title == f"the command {spec.name}"]
    assert {outcome.state for outcome in section.outcomes()} == {"passed"}
    module = load_target(spec.target)
    assert Path(sys.modules["t2i.cli.plugin"].__file__ or "").is_file() and module
