"""A declared verb of the command line."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from typing import Any, final

import typer

from t2i.registry.specs import CommandSpec, load_target
from t2i.testing.checks.check import Checks
from t2i.testing.checks.roles.role import CheckedRole, Section

COMMAND_CHECKS: Checks[CommandSpec] = Checks()
MOST_CHARACTERS = 80


@final
class Commands(CheckedRole[CommandSpec]):
    """Verbs; they are not run, only their help is shown."""

    def sections(self, spec: CommandSpec, reference: str) -> list[Section]:
        return [Section(f"the command {spec.name}", COMMAND_CHECKS, lambda: spec)]

    def check_files(self, spec: CommandSpec) -> None:
        pass  # it names no files

    def make(self, spec: CommandSpec) -> None:
        load_target(spec.target)

    def says(self, spec: CommandSpec) -> tuple[dict[str, object], dict[str, object]]:
        return {}, {}


@COMMAND_CHECKS.add(
    why="`t2i --help` shows one line for each verb",
    remedy=f"describe what the verb does in one line of at most {MOST_CHARACTERS} characters",
)
def has_a_summary_of_one_line(spec: CommandSpec) -> None:
    summary = spec.summary
    assert 0 < len(summary) <= MOST_CHARACTERS and summary.isprintable(), f"the summary of {spec.name} is {summary!r}"


@COMMAND_CHECKS.add(
    why="people read a verb's help before they use it",
    remedy="use a function or a typer.Typer as target, annotate every parameter with its help, and write a docstring",
)
def explains_itself(spec: CommandSpec) -> None:
    app: Any = load_target(spec.target)
    if not isinstance(app, typer.Typer):
        function, app = app, typer.Typer(rich_markup_mode=None)
        assert (function.__doc__ or "").strip(), f"{spec.target} has no docstring"
        app.command()(function)
    said = io.StringIO()
    with redirect_stdout(said):
        typer.main.get_command(app)(["--help"], prog_name=f"t2i {spec.name}", standalone_mode=False)
    assert "Usage: " in said.getvalue(), f"`t2i {spec.name} --help` says {said.getvalue()!r}"
