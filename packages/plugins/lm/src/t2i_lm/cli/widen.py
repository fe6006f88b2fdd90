"""`t2i widen`: let a language model add details to a prompt."""

from __future__ import annotations

from typing import Annotated

import typer

from t2i.registry.describe import DEFAULT_LANGUAGE_MODEL
from t2i_lm.cli.options import LanguageModelOption, OutOption, SeedOption


def widen(
    prompt: Annotated[str, typer.Argument(help="The prompt; every word of it is kept.")],
    count: Annotated[int, typer.Option("-n", help="How many versions.")] = 1,
    seed: SeedOption = 0,
    lm: LanguageModelOption = DEFAULT_LANGUAGE_MODEL,
    out: OutOption = None,
) -> None:
    """Write more detailed versions of a prompt, one per line; `t2i generate --widen` does so before it draws."""
    from t2i.create import create_language_model
    from t2i.registry.events import texts_written
    from t2i.text import check_prompts
    from t2i_lm.cli.output import put_out
    from t2i_lm.widening import widen as widened

    check_prompts([prompt])
    model = create_language_model(lm)
    lines = put_out(widened(model, prompt, count, seed), out)
    texts_written(prompt, lines, model.identity, seed)
