"""`t2i write`: let a language model write prompts about a topic."""

from __future__ import annotations

from typing import Annotated

import typer

from t2i.registry.describe import DEFAULT_LANGUAGE_MODEL
from t2i_lm.cli.options import LanguageModelOption, OutOption, SeedOption


def write(
    topic: Annotated[str, typer.Argument(help='What the prompts are about, such as "things on a birthday card".')],
    count: Annotated[int, typer.Option("-n", help="How many prompts.")] = 10,
    seed: SeedOption = 0,
    lm: LanguageModelOption = DEFAULT_LANGUAGE_MODEL,
    out: OutOption = None,
) -> None:
    """Write distinct prompts, one per line; `t2i generate --prompts FILE` draws them."""
    from t2i.create import create_language_model
    from t2i.registry.events import texts_written
    from t2i_lm.cli.output import put_out
    from t2i_lm.writing import check_topic, write_prompts

    check_topic(topic)
    model = create_language_model(lm)
    lines = put_out(write_prompts(model, topic, count, seed), out)
    texts_written(topic, lines, model.identity, seed)
