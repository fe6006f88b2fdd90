"""How a pipeline reads prompts: emoji are replaced by their names, and unread parts give a warning."""

from __future__ import annotations

import warnings
from collections.abc import MutableMapping, Sequence

import torch
import torch.nn.functional as F

from t2i.arguments import shown
from t2i.errors import UnreadPromptWarning
from t2i.spelling import spelled
from t2i.text import TextEmbedding, TextEncoder

SHORTEST = 16  # words to which a prompt is padded at least


def encode_prompts(
    encoder: TextEncoder, prompts: Sequence[str], warned: MutableMapping[str, str] | None = None
) -> TextEmbedding:
    """Encode b prompts, with emoji replaced by their names.

    Args:
        prompts: distinct ones, each 1 to 2000 characters.
        warned: the prompts that were warned of already, with what was not read; they get no second warning, and this
            call adds its own.

    Warns: UnreadPromptWarning: for each prompt that the encoder cannot read completely.
    """
    warned = {} if warned is None else warned
    spellings = [spelled(prompt) for prompt in prompts]
    for prompt, unread in zip(prompts, encoder.unread(spellings), strict=True):
        if unread and prompt not in warned:
            warned[prompt] = str(unread)
            warn_unread(prompt, str(unread))
    return encoder.encode(spellings)


def by_length(text: TextEmbedding) -> list[tuple[list[int], TextEmbedding]]:
    """Prompts of about the same length together: their rows, and their words padded to 16, 32, 64, ... words.

    Attention over more words sums in another order, even if they are masked. So that a picture does not depend on the
    longest prompt in its batch, the length to which a prompt is padded depends on that prompt alone.
    """
    longest = text.mask.shape[1]
    lengths = (text.mask * torch.arange(1, longest + 1, device=text.mask.device)).amax(1).tolist()
    padded = [max(SHORTEST, 1 << (length - 1).bit_length()) for length in lengths]
    groups = []
    for size in dict.fromkeys(padded):
        rows = [row for row, own in enumerate(padded) if own == size]
        part, more = text[rows], size - longest  # fewer than none: they are cut
        groups.append(
            (rows, TextEmbedding(part.sentence, F.pad(part.words, (0, 0, 0, more)), F.pad(part.mask, (0, more))))
        )
    return groups


def warn_unread(prompt: str, unread: str) -> None:
    """
    Args:
        unread: what was not read of the prompt, as a sentence.

    Warns: UnreadPromptWarning.
    """
    warnings.warn(f"The prompt {shown(prompt)}: {unread}", UnreadPromptWarning, stacklevel=3)
