"""How a pipeline reads prompts: emoji are replaced by their names, and unread parts give a warning."""

from __future__ import annotations

import warnings
from collections.abc import MutableMapping, Sequence

from t2i.arguments import shown
from t2i.errors import UnreadPromptWarning
from t2i.spelling import spelled
from t2i.text import TextEmbedding, TextEncoder


def encode_prompts(
    encoder: TextEncoder, prompts: Sequence[str], warned: MutableMapping[str, str] | None = None
) -> TextEmbedding:
    """Encode b prompts, with emoji replaced by their names.

    Args:
        prompts: distinct ones, each 1 to 2000 characters.
        warned: prompts that need no warning because there was one already, with what was not read, as a sentence;
            gets those of this call.

    Warns: UnreadPromptWarning: for each prompt that the encoder cannot read completely.
    """
    warned = {} if warned is None else warned
    spellings = [spelled(prompt) for prompt in prompts]
    for prompt, unread in zip(prompts, encoder.unread(spellings), strict=True):
        if unread and prompt not in warned:
            warned[prompt] = str(unread)
            warn_unread(prompt, str(unread))
    return encoder.encode(spellings)


def warn_unread(prompt: str, unread: str) -> None:
    """
    Args:
        unread: what was not read of the prompt, as a sentence.

    Warns: UnreadPromptWarning.
    """
    warnings.warn(f"The prompt {shown(prompt)}: {unread}", UnreadPromptWarning, stacklevel=3)
