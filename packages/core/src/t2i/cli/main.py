"""`t2i`: gathers the verbs, and turns every error of ours into one sentence and exit code 2."""

from __future__ import annotations

import sys

import click
import typer

from t2i.cli.console import fail
from t2i.cli.doctor import doctor, plugins
from t2i.cli.generate import generate
from t2i.cli.info import info
from t2i.cli.models import models
from t2i.cli.regenerate import regenerate
from t2i.cli.train import train
from t2i.errors import T2IError

app = typer.Typer(
    name="t2i",
    help="Text to image, every technique behind one interface.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for verb in (generate, regenerate, models, info, train, plugins, doctor):
    app.command()(verb)


def main() -> None:
    """Run the command line; exits with 0, 2 after an error of the user's, or 130 after Ctrl-C."""
    try:
        code = app(standalone_mode=False)
    except T2IError as error:
        sys.exit(fail(str(error)))
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        print(file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)
