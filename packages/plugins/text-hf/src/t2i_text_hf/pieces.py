"""Maps a tokenizer's tokens to parts of the caption."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from t2i.text import Unread, behind


@dataclass(frozen=True)
class Piece:
    """One token.

    Attributes:
        text: the part of the caption that it stands for; "" for a special token.
        known: False for a word that is not in the vocabulary.
    """

    text: str
    known: bool = True


def pieces_at(
    caption: str, spans: Sequence[tuple[int, int]], special: Sequence[int], unknown: Sequence[bool]
) -> list[Piece]:
    """The tokens of a caption.

    Args:
        spans: start and end of each in the caption.
        special: whether each is a special token.
        unknown: whether each stands for a word that is not in the vocabulary.
    """
    return [
        Piece("") if is_special else Piece(caption[start:end], not is_unknown)
        for (start, end), is_special, is_unknown in zip(spans, special, unknown, strict=True)
    ]


def found_in(caption: str, texts: Sequence[str]) -> list[tuple[int, int]]:
    """The span of each of `texts` in the caption, one after another; an empty span if it is not found.

    For tokenizers that do not return the positions of their tokens.
    """
    spans, end, low = [], 0, caption.lower()
    for text in texts:
        part = text.strip().removeprefix("##").lower()
        start = low.find(part, end) if part else -1
        end = end if start < 0 else start + len(part)
        spans.append((end - len(part), end) if start >= 0 else (end, end))
    return spans


def unread_of(caption: str, pieces: Sequence[Piece]) -> Unread:
    """The parts of the caption that are in no token, or in an unknown one; adjacent unknown ones are one word."""
    words = [piece for piece in pieces if piece.text]
    unknown: list[str] = []
    end = unknown_end = 0
    for piece in words:
        start = caption.find(piece.text, end)
        if start < 0:  # two tokens of one letter, as in Korean
            continue
        end = start + len(piece.text)
        if not piece.known:
            if unknown and _are_marks(between := caption[unknown_end:start]):
                unknown[-1] += between + piece.text
            else:
                unknown.append(piece.text)
            unknown_end = end
    nothing = not any(piece.known and not _is_punctuation(piece.text) for piece in words)
    cut = behind([piece.text for piece in words], caption)
    while cut and _are_marks(cut[0]):  # an accent of the last letter
        cut = cut[1:].strip()
    return Unread(tuple(dict.fromkeys(unknown)), cut, nothing)


def is_latin(text: str) -> bool:
    """Whether all letters and marks of `text` are Latin; so are texts without any."""
    letters = (c for c in text if not c.isascii() and unicodedata.category(c)[0] in "LM")
    return all(unicodedata.name(c, "").startswith(("LATIN", "COMBINING")) for c in letters)


def _are_marks(text: str) -> bool:
    """Whether `text` has only accents, which tokenizers drop."""
    return all(unicodedata.category(c)[0] == "M" for c in text)


def _is_punctuation(text: str) -> bool:
    return all(unicodedata.category(c)[0] == "P" for c in text)
