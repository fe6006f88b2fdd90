"""`t2i vary`: write the variations of a template."""

from __future__ import annotations

from typing import Annotated

import typer

from t2i.errors import InvalidInputError
from t2i_lm.cli.options import OutOption, SeedOption, WildcardsOption


def vary(
    template: Annotated[
        str, typer.Argument(help='Such as "a {red|blue} {house|castle}", or with __NAME__ from files.')
    ],
    every: Annotated[bool, typer.Option("--all", help="Every variation, in order.")] = False,
    count: Annotated[int | None, typer.Option("-n", help="How many variations, drawn at random. Default: 10.")] = None,
    seed: SeedOption = 0,
    wildcards: WildcardsOption = None,
    out: OutOption = None,
) -> None:
    """Write variations, one per line; `t2i generate --prompts FILE` draws them."""
    if every and count is not None:
        raise InvalidInputError("Give --all or -n, got both. Leave one out.")
    from t2i_lm.cli.output import put_out
    from t2i_lm.templates import Template

    parsed = Template.parse(template, wildcards)
    put_out(parsed.all() if every else parsed.sample(10 if count is None else count, seed), out)
