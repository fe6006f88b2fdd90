"""Warnings about a dataset's captions before training."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from t2i.text import TextEncoder

SHOWN_CHARACTERS = 60


def shared_caption(captions: Collection[str], pictures: int) -> list[str]:
    """A sentence if all pictures have the same caption, so that a model can learn nothing from it.

    Args:
        captions: the distinct captions.
    """
    if len(captions) != 1 or pictures < 2:
        return []
    [only] = captions
    return [
        f"All {pictures:,} pictures have the same caption, {_shown(only)}, so a model cannot learn what words mean. "
        f"If that is not intended, check where the captions are (docs/data.md)."
    ]


def unread_captions(captions: Sequence[str], encoder: TextEncoder) -> list[str]:
    """Sentences on how many distinct captions the text encoder cannot read, or only in part."""
    if not len(captions):
        return []
    unread, name = encoder.unread(captions), encoder.identity.name
    kinds = (
        ("have no word that the text encoder {} knows, so it cannot distinguish them", lambda part: part.nothing),
        ("have words that the text encoder {} does not know", lambda part: bool(part.unknown) and not part.nothing),
        ("are too long for the text encoder {}, which leaves out their ends", lambda part: bool(part.cut)),
    )
    sentences = []
    for what, applies in kinds:
        hits = [caption for caption, part in zip(captions, unread, strict=True) if applies(part)]
        if hits:
            counted = f"{len(hits):,} of {len(captions):,} distinct captions"
            sentences.append(f"{counted} {what.format(name)}; the first: {_shown(hits[0])}.")
    return sentences


def _shown(caption: str) -> str:
    return repr(caption if len(caption) <= SHOWN_CHARACTERS else caption[: SHOWN_CHARACTERS - 3] + "...")
