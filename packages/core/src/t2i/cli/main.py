"""`t2i`: gathers the verbs, and turns every error of ours into one sentence and exit code 2."""

from __future__ import annotations

import sys
from typing import Any

import typer

from t2i.cli.check import check
from t2i.cli.compare import compare
from t2i.cli.console import fail
from t2i.cli.convert import convert
from t2i.cli.data import data
from t2i.cli.doctor import doctor, plugins
from t2i.cli.evaluate import evaluate
from t2i.cli.generate import generate
from t2i.cli.info import info
from t2i.cli.interpolate import interpolate
from t2i.cli.leaderboard import leaderboard
from t2i.cli.models import models
from t2i.cli.new import new
from t2i.cli.push import push
from t2i.cli.reconstruct import reconstruct
from t2i.cli.regenerate import regenerate
from t2i.cli.train import train
from t2i.errors import T2IError

VERBS = (
    *(generate, regenerate, compare, interpolate, reconstruct),
    *(models, info, train, evaluate, leaderboard),
    *(convert, push, plugins, doctor, check, new),
)

UsageError: Any = typer.BadParameter.__bases__[0]  # click's, or the copy that newer typers carry and do not export


def main() -> None:
    """Run the command line; exits with 0, 2 after an error of the user's, or 130 after Ctrl-C."""
    try:
        asked = sys.argv[1:] or ["--help"]
        code = command_line(asked[0])(asked, prog_name="t2i", standalone_mode=False)
    except T2IError as error:
        sys.exit(fail(str(error)))
    except UsageError as error:
        verb = error.ctx.command_path if error.ctx else "t2i"
        sys.exit(fail(f"{error.format_message().rstrip('.')}. See `{verb} --help`."))
    except (KeyboardInterrupt, typer.Abort):
        print(file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


def command_line(asked: str) -> typer.Typer:
    """The program with the verb `asked` for whole, and of the others the names and what they do: whole ones are slow
    to build."""
    app = typer.Typer(
        name="t2i",
        help="Text to image, every technique behind one interface.",
        add_completion=False,
        rich_markup_mode=None,  # plain help is there in half the time
        pretty_exceptions_enable=False,
    )
    for verb in VERBS:
        app.command(verb.__name__, help=verb.__doc__)(verb if verb.__name__ == asked else _listed)
    if asked == "data":
        app.add_typer(data, name="data")
    else:
        app.command("data", help=data.info.help)(_listed)
    return app


def _listed() -> None:
    """Stands for a verb that nobody asked for."""
