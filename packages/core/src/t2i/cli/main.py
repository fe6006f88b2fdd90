"""`t2i`: imports and runs one verb; a T2IError is printed as one sentence and exits with 2."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from t2i.cli.console import fail, python_warnings, report, say, speaking, warn
from t2i.cli.plugin import t2i_commands
from t2i.errors import PluginBrokenError, T2IError, UnknownNameError
from t2i.interrupts import interrupt_once
from t2i.registry.discovery import Registry, discover
from t2i.registry.specs import CommandSpec, load_target
from t2i.uncollected import uncollected

if TYPE_CHECKING:
    import typer

ABOUT = "Text to image, every technique behind one interface."
HELP = ("--help", "-h")


def main() -> None:
    """Run the command line; exits with the command's own code, 2 after an error, or 130 after Ctrl-C."""
    interrupt_once()
    try:
        with speaking(), python_warnings():
            sys.exit(_code(sys.argv[1:]))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def _code(arguments: Sequence[str]) -> int:
    """The exit code of `run`, with its error printed."""
    try:
        return run(arguments)
    except T2IError as error:
        return fail(str(error))
    except KeyboardInterrupt:
        say("")
        # If Ctrl-C came during an exec(), as in an import that makes a dataclass, CPython would exit by SIGINT in place
        # of our code; the next exec() makes it forget.
        exec("")  # noqa: S102
        return 130
    except BrokenPipeError:
        raise
    except OSError as error:  # not caught where the file is read: a disk that fails, or a name too long for it
        where = f"{error.filename}: " if error.filename else ""
        return fail(f"{where}{error.strerror or error}.")


def run(arguments: Sequence[str]) -> int:
    """Run the verb that the first argument names, or list all; returns the exit code.

    Raises:
        T2IError: there is no such verb, or it cannot be used, or it raised this.
    """
    own = next((spec for spec in t2i_commands() if arguments and spec.name == arguments[0]), None)
    if own:  # no plugin can replace it, so none is imported: `t2i doctor` must always run
        return run_verb(own, arguments[1:])
    found = discover()  # never strict
    check_metadata(found)
    if not arguments or arguments[0] in HELP:
        report(*overview(found))
        for problem in problems(found):
            warn(problem)
        return 0
    try:
        spec, _ = found.get(CommandSpec, arguments[0])
    except UnknownNameError as error:
        raise UnknownNameError(f"{error} See `t2i --help`.") from None
    return run_verb(spec, arguments[1:])


def check_metadata(found: Registry) -> None:
    """
    Raises:
        PluginBrokenError: the core's installed metadata does not name its own verbs.
    """
    if not any(found.all(CommandSpec)):
        raise PluginBrokenError(
            "The installed metadata of t2i-core must list its commands, but lists none: it is older than the code. "
            "Install it again: pip install --force-reinstall t2i-core (in a checkout: uv sync)"
        )


def overview(found: Registry) -> Iterator[str]:
    """The text of `t2i --help`: every verb with its summary. Imports none of them."""
    own = t2i_commands()  # first: the verbs that most users need
    specs = [*own, *(spec for spec, _ in found.all(CommandSpec) if spec not in own)]
    width = max(len(spec.name) for spec in specs)
    yield from ("Usage: t2i COMMAND [ARGUMENTS]...", "", ABOUT, "", "Commands:")
    yield from (f"  {spec.name:<{width}}  {spec.summary}" for spec in specs)
    yield from ("", "`t2i COMMAND --help` explains a command.")


def problems(found: Registry) -> Iterator[str]:
    """A sentence for each plugin whose verbs may be missing, and for each verb that several plugins declare."""
    for plugin in found.plugins:
        if plugin.state in ("broken", "incompatible"):
            yield f"the plugin {plugin.name!r} is {plugin.state}; `t2i doctor` says why"
    for clash in found.clashes:
        if clash.kind is CommandSpec:
            yield f"{clash.reason}; remove one: {clash.remedy}"


def run_verb(spec: CommandSpec, arguments: Sequence[str]) -> int:
    """Import a verb and run it; returns the exit code.

    Raises:
        T2IError: its target cannot be imported, or it raised this.
    """
    with uncollected(all_stays=True):
        import typer

        command = typer.main.get_command(command_line(spec))
    usage_error: Any = typer.BadParameter.__bases__[0]  # click's, or the copy that newer typers carry, not exported
    try:
        code = command([spec.name, *arguments], prog_name="t2i", standalone_mode=False)
    except usage_error as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # a verb with subcommands, given none
            report(*error.ctx.get_help().splitlines())
            return 0
        verb = error.ctx.command_path if error.ctx else f"t2i {spec.name}"
        return fail(f"{error.format_message().rstrip('.')}. See `{verb} --help`.")
    except typer.Abort:
        raise KeyboardInterrupt from None
    return code if isinstance(code, int) else 0


def command_line(spec: CommandSpec) -> typer.Typer:
    """The program with this one verb."""
    import typer

    target = load_target(spec.target)
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,  # plain help takes half the time
        pretty_exceptions_enable=False,
    )
    app.callback()(_program)
    if isinstance(target, typer.Typer):
        app.add_typer(target, name=spec.name)
    else:
        app.command(spec.name)(target)
    return app


def _program() -> None:
    """The callback of `t2i` itself: without one, typer would make the only verb the whole program."""
