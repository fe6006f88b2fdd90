"""The checks find each of a set of text encoders that are broken in one way, and pass a correct one."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from fakes.checking import caught, expect, failures
from fakes.models import FakeTextEncoder
from t2i.errors import InvalidInputError
from t2i.testing.checks.text_encoders import TEXT_ENCODER_CHECKS
from t2i.text import EncoderIdentity, TextEmbedding, TextEncoder, Unread


class Encoder(TextEncoder):
    """A FakeTextEncoder that refuses empty captions, and whose embedding is changed by `spoil`."""

    def __init__(self, spoil: Callable[[TextEmbedding], TextEmbedding] = lambda text: text, **changes: Any) -> None:
        self._inner, self._spoil, self._changes = FakeTextEncoder(), spoil, changes

    @property
    def identity(self) -> EncoderIdentity:
        return EncoderIdentity(**{"name": "fake", "revision": "", "sha256": "0" * 64, "dim": 8} | self._changes)

    @property
    def max_words(self) -> int:
        return 4 if self._spoil is long else 6

    def encode(self, captions: Sequence[str]) -> TextEmbedding:
        if self._spoil is not reads_anything and (not captions or not all(map(str.strip, captions))):
            raise InvalidInputError("nothing to read")
        return self._spoil(self._inner.encode(captions))

    def tokens(self, caption: str) -> tuple[str, ...]:
        tokens = self._inner.tokens(caption)
        if self._spoil is merges:
            return (*tokens[:-2], " ".join(tokens[-2:]))
        return tuple(map(str.upper, tokens)) if self._spoil is shouts else tokens

    def unread(self, prompts: Sequence[str]) -> list[Unread]:
        if not prompts or not all(map(str.strip, prompts)):
            raise InvalidInputError("nothing to read")
        return [Unread() for _ in prompts] if self._spoil is says_nothing else self._inner.unread(prompts)

    def to(self, device: torch.device | str) -> TextEncoder:
        return Encoder() if self._spoil is moves_away else self


def nonzero(text: TextEmbedding) -> TextEmbedding:
    return TextEmbedding(text.sentence, text.words + 1, text.mask)


def all_true(text: TextEmbedding) -> TextEmbedding:
    return TextEmbedding(text.sentence, text.words, torch.ones_like(text.mask))


def centred(text: TextEmbedding) -> TextEmbedding:
    return TextEmbedding(text.sentence - text.sentence.mean(0), text.words, text.mask)


def dropped_out(text: TextEmbedding) -> TextEmbedding:
    return TextEmbedding(text.sentence + 1e-4 * torch.randn(()), text.words, text.mask)


def longer(text: TextEmbedding) -> TextEmbedding:
    pad = nn.functional.pad
    return TextEmbedding(text.sentence, pad(text.words, (0, 0, 0, 1)), pad(text.mask, (0, 1)))


def constant(text: TextEmbedding) -> TextEmbedding:
    return TextEmbedding(torch.ones_like(text.sentence), text.words, text.mask)


def trainable(text: TextEmbedding) -> TextEmbedding:
    return TextEmbedding(text.sentence.clone().requires_grad_(), text.words, text.mask)


def long(text: TextEmbedding) -> TextEmbedding:
    return text


def reads_anything(text: TextEmbedding) -> TextEmbedding:
    return text


def moves_away(text: TextEmbedding) -> TextEmbedding:
    return text


def merges(text: TextEmbedding) -> TextEmbedding:
    return text


def shouts(text: TextEmbedding) -> TextEmbedding:
    return text


def says_nothing(text: TextEmbedding) -> TextEmbedding:
    return text


def phones_home(text: TextEmbedding) -> TextEmbedding:
    with contextlib.suppress(OSError):
        socket.create_connection(("192.0.2.1", 80), timeout=0.01)
    return text


def writes_log(text: TextEmbedding) -> TextEmbedding:
    Path(os.devnull).write_text("encoded")
    return text


def forgets_short_ones(text: TextEmbedding) -> TextEmbedding:
    """Mask every caption's first word if a caption of the batch has 6 words or more."""
    mask = text.mask.clone()
    mask[:, 0] &= text.mask.shape[1] < 6
    return TextEmbedding(text.sentence, text.words * mask[..., None], mask)


class Undocumented(Encoder):
    pass


TOKENS = "tokens_are_parts_of_the_caption"
UNREAD = "unread_text_is_reported"
NULL = "no_text_is_an_embedding_of_the_same_width"
NEIGHBOURS = "an_embedding_does_not_depend_on_its_neighbours"
ENDS = "captions_of_one_word_and_of_500_are_read"
QUIET = "encoding_reaches_nothing_and_writes_nothing"
SPECIMENS: list[tuple[Callable[[], TextEncoder], dict[str, str]]] = [
    (Encoder, {}),
    (lambda: Encoder(nonzero), {"mask_tells_real_words": "masked words are not zero"}),
    (lambda: Encoder(all_true), {NEIGHBOURS: "the words of 'heart' depend on their neighbours"}),
    (
        lambda: Encoder(longer),
        {
            "mask_tells_real_words": "the longest caption's number of tokens",
            NEIGHBOURS: "the words of 'heart'",
            "long_captions_are_cut": "max_words is 6",
        },
    ),
    (lambda: Encoder(centred), {NEIGHBOURS: "the sentence of 'heart' depends on its neighbours"}),
    (
        lambda: Encoder(dropped_out),
        {
            NEIGHBOURS: "sentence depends on the caption's place in the batch",
            "nothing_is_random": "encode touches the global random generator of torch",
            "what_it_returns_may_be_changed": "changing a result",
        },
    ),
    (
        lambda: Encoder(constant),
        {"captions_are_distinguished": "two different captions have the same sentence"},
    ),
    (
        lambda: Encoder(trainable),
        {"shapes": "an encoder must be frozen", "what_it_returns_may_be_changed": "leaf Variable that requires grad"},
    ),
    (
        lambda: Encoder(long),
        {"long_captions_are_cut": "max_words is 4, but a caption kept 6 tokens", ENDS: "keep [1, 6] tokens"},
    ),
    (
        lambda: Encoder(forgets_short_ones),
        {
            "mask_tells_real_words": "leaves a caption without a word",
            NEIGHBOURS: "the words of 'heart' depend",
            ENDS: "a caption of one word keeps none",
            TOKENS: "has 5 words, but 6 tokens",
        },
    ),
    (lambda: Encoder(merges), {TOKENS: "'a red heart' has 3 words, but 2 tokens: ('a', 'red heart')"}),
    (lambda: Encoder(shouts), {TOKENS: "'HEART' does not", UNREAD: "is left out, but"}),
    (lambda: Encoder(says_nothing), {UNREAD: "is left out, but ''... is reported"}),
    (lambda: Encoder(reads_anything), {"refuses_empty_prompts": "not InvalidInputError"}),
    (lambda: Encoder(moves_away), {"moving_returns_the_encoder": "to(device) must return the encoder itself"}),
    (lambda: Encoder(phones_home), {QUIET: "192.0.2.1"}),
    (lambda: Encoder(writes_log), {QUIET: os.devnull}),
    (lambda: Encoder(dim=9), {"shapes": "at dim 9", NULL: "the embedding of no text has another width"}),
    (lambda: Encoder(sha256="abc"), {"identity": "64 hex digits, got 'abc'"}),
    (lambda: Encoder(name=""), {"identity": "an encoder must have a name"}),
    (Undocumented, {"is_documented": "Undocumented has none"}),
]


@pytest.mark.parametrize(("make", "reasons"), SPECIMENS)
def test_each_broken_encoder_fails_for_its_reason(make: Callable[[], TextEncoder], reasons: dict[str, str]) -> None:
    expect(failures(TEXT_ENCODER_CHECKS, make), reasons)


def test_every_check_catches_a_broken_encoder() -> None:
    assert caught(SPECIMENS) == {check.name for check in TEXT_ENCODER_CHECKS}
