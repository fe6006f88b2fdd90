"""Warns of prompts that are longer than a pipeline reads, in the same way for all families."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from t2i.drawing.reading import warn_unread

LIBRARIES = ("diffusers", "transformers")
NO_LIMIT = 10**6  # tokenizers without a limit say a larger number


def warn_of_unread(pipe: Any, prompts: Sequence[str], warned: set[str]) -> None:
    """Warn of each prompt that no tokenizer of the pipeline reads to its end.

    Args:
        warned: the prompts with an earlier warning; this call adds its own.
    """
    tokenizers = [part for name, part in pipe.components.items() if name.startswith("tokenizer") and part is not None]
    limits = [getattr(tokenizer, "model_max_length", NO_LIMIT) for tokenizer in tokenizers]
    if not tokenizers or max(limits) >= NO_LIMIT:
        return
    for prompt in dict.fromkeys(prompts):
        if prompt in warned:
            continue
        with hushed():
            lengths = [len(tokenizer(prompt)["input_ids"]) for tokenizer in tokenizers]
        if all(length > limit for length, limit in zip(lengths, limits, strict=True)):
            warned.add(prompt)
            warn_unread(
                prompt,
                f"it has {min(lengths)} tokens, and the model reads {max(limits)} of them; the rest is ignored.",
            )


@contextmanager
def hushed() -> Iterator[None]:
    """Silence what the libraries log below errors."""
    loggers = [logging.getLogger(name) for name in LIBRARIES]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
