"""Captions as tensors: the TextEmbedding that generators take, and the TextEncoder that makes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from t2i.arguments import check_text, shown
from t2i.errors import EncoderMismatchError, InvalidInputError
from t2i.plain_text import MAX_PROMPT_CHARACTERS as MAX_PROMPT_CHARACTERS

MOST_SHOWN, MOST_CHARACTERS = 5, 60  # limits of a warning: unknown words listed, and characters per text


@dataclass(frozen=True)
class TextEmbedding:
    """A batch of encoded captions.

    Attributes:
        sentence: [b, d], one vector per caption.
        words: [b, l, d], one vector per token; rows where `mask` is False are zero.
        mask: [b, l], True for real tokens. Padding is never inferred from zeros.
    """

    sentence: Float[Tensor, "b d"]
    words: Float[Tensor, "b l d"]
    mask: Bool[Tensor, "b l"]

    @classmethod
    def of_sentences(cls, sentence: Float[Tensor, "b d"]) -> TextEmbedding:
        """Captions with only sentence vectors; each sentence is also its only word."""
        return cls(sentence, sentence[:, None], torch.ones(len(sentence), 1, dtype=torch.bool, device=sentence.device))

    @classmethod
    def null(cls, dim: int) -> TextEmbedding:
        """The embedding of no text, for guidance: one caption whose sentence and only word are zeros.

        ``TextEmbedding.null(dim)[[0] * b]`` is a batch of b.
        """
        return cls.of_sentences(torch.zeros(1, dim))

    def without(self, dropped: Bool[Tensor, b]) -> TextEmbedding:
        """The same batch with captions replaced by no text (see `null`) where `dropped`; l stays the same."""
        first = torch.arange(self.mask.shape[1], device=self.mask.device) == 0
        return TextEmbedding(
            self.sentence.masked_fill(dropped[:, None], 0),
            self.words.masked_fill(dropped[:, None, None], 0),
            torch.where(dropped[:, None], first, self.mask),
        )

    def __len__(self) -> int:
        return self.sentence.shape[0]

    def __getitem__(self, index: Tensor | slice | list[int]) -> TextEmbedding:
        """The captions at `index`, still as a batch."""
        return TextEmbedding(self.sentence[index], self.words[index], self.mask[index])

    def repeated(self, copies: int) -> TextEmbedding:
        """The whole batch `copies` times, one after the other: [copies * b]."""
        parts = (self.sentence, self.words, self.mask)
        return TextEmbedding(*(torch.cat([part] * copies) for part in parts))

    def to(self, device: torch.device | str) -> TextEmbedding:
        """The same embedding on `device`."""
        return TextEmbedding(self.sentence.to(device), self.words.to(device), self.mask.to(device))


@dataclass(frozen=True)
class EncoderIdentity:
    """Identifies a text encoder, including its weights; recorded in every snapshot and checked on use.

    Attributes:
        name: the name for `t2i.create_text_encoder`, such as "minilm".
        revision: the publisher's revision of the weights, or "" if there is none.
        sha256: of the weights file, or "" if unknown.
        dim: width d of `sentence` and `words`.
    """

    name: str
    revision: str
    sha256: str
    dim: int

    def require(self, other: EncoderIdentity, model: str) -> None:
        """Check that `other`, the installed encoder, is the one `model` was trained with (self).

        Raises:
            EncoderMismatchError: the message says which part differs.
        """
        mine, theirs = asdict(self), asdict(other)
        for part in ("sha256", "dim", "name"):
            if mine[part] and mine[part] != theirs[part]:
                raise EncoderMismatchError(
                    f"{model} was trained with the text encoder {self.name!r} whose {part} is "
                    f"{mine[part]!r}, but the one installed here has {theirs[part]!r}. "
                    f"Install that encoder, or train again with this one."
                )


@dataclass(frozen=True)
class Unread:
    """The parts of a prompt that a text encoder could not read; false if it read everything. `str` gives a sentence.

    Attributes:
        unknown: the words it does not know, as typed.
        cut: the end of the prompt, beyond `max_words`.
        nothing: it knows no word of the prompt, so the picture will not depend on it.
    """

    unknown: tuple[str, ...] = ()
    cut: str = ""
    nothing: bool = False

    def __bool__(self) -> bool:
        return bool(self.unknown or self.cut or self.nothing)

    def __str__(self) -> str:
        sentences = []
        if self.nothing:
            sentences.append(
                "The text encoder knows no word of this prompt, so the picture does not depend on it. Use other words."
            )
        elif self.unknown:
            more = f" and {len(self.unknown) - MOST_SHOWN} more" if len(self.unknown) > MOST_SHOWN else ""
            words = ", ".join(repr(word[:MOST_CHARACTERS]) for word in self.unknown[:MOST_SHOWN])
            sentences.append(f"The text encoder does not know {words}{more}.")
        if self.cut:
            more = "..." if len(self.cut) > MOST_CHARACTERS else ""
            sentences.append(
                f"The prompt is too long for the text encoder, which left out {self.cut[:MOST_CHARACTERS] + more!r}."
            )
        return " ".join(sentences)


class TextEncoder(ABC):
    """Captions in, TextEmbedding out. An encoder is frozen; a caption's embedding depends only on the caption."""

    @property
    @abstractmethod
    def identity(self) -> EncoderIdentity:
        """Name, revision, sha256 and width."""

    @property
    @abstractmethod
    def max_words(self) -> int:
        """The most tokens (special ones included) a caption keeps; longer ones are cut."""

    @abstractmethod
    def encode(self, captions: Sequence[str]) -> TextEmbedding:
        """Encode b captions.

        Args:
            captions: at least one, none of them empty.

        Returns:
            sentence [b, d], words [b, l, d] and mask [b, l] on the encoder's device, where l is the
            longest caption's number of tokens.
        """

    @abstractmethod
    def tokens(self, caption: str) -> tuple[str, ...]:
        """The part of the caption that each of its words represents, such as ("", "a", "fire", "fighter", "").

        Returns:
            One string for each True in the mask of ``encode([caption])``, in the order of `words`. They occur in
            the caption in this order. "" is a token that is not part of it, such as a start or end token.

        Raises:
            InvalidInputError: the caption is empty.
        """

    @abstractmethod
    def unread(self, prompts: Sequence[str]) -> list[Unread]:
        """What `encode` ignores of each prompt: unknown words, and everything beyond `max_words`.

        Raises:
            InvalidInputError: there is no prompt, or one is empty.
        """

    @final
    def null(self) -> TextEmbedding:
        """The embedding of no text with this encoder's width, on the CPU: see `TextEmbedding.null`."""
        return TextEmbedding.null(self.identity.dim)

    @abstractmethod
    def to(self, device: torch.device | str) -> TextEncoder:
        """Move the weights to `device`; returns self."""


def behind(tokens: Sequence[str], caption: str) -> str:
    """The end of the caption after its last token, without surrounding white space."""
    end = 0
    for token in tokens:
        start = caption.find(token, end)
        end = start + len(token) if start >= 0 else end
    return caption[end:].strip()


def check_prompts(prompts: str | Iterable[str]) -> list[str]:
    """The prompts, stripped of surrounding white space; one string is one prompt.

    Raises:
        InvalidInputError: there is none, or one is not a string, empty, not Unicode text, or longer than
            MAX_PROMPT_CHARACTERS.
    """
    if isinstance(prompts, str):
        prompts = [prompts]
    if isinstance(prompts, bytes | Mapping) or not isinstance(prompts, Iterable):
        raise InvalidInputError(f"Prompts must be a string or a list of strings, got {shown(prompts)}.")
    stripped = [check_text(prompt, f"Prompt {number}").strip() for number, prompt in enumerate(prompts, start=1)]
    if not stripped:
        raise InvalidInputError('Expected at least one prompt, got none. Say what to draw, for example "a red heart".')
    for number, prompt in enumerate(stripped, start=1):
        if not prompt.isascii() and any("\ud800" <= character <= "\udfff" for character in prompt):
            raise InvalidInputError(
                f"A prompt must be Unicode text, but prompt {number} has a byte that is not. Retype it."
            )
        if not prompt:
            raise InvalidInputError(f'Prompt {number} is empty. Say what to draw, for example "a red heart".')
        if len(prompt) > MAX_PROMPT_CHARACTERS:
            raise InvalidInputError(
                f"A prompt may have at most {MAX_PROMPT_CHARACTERS} characters, but prompt {number} has "
                f"{len(prompt)}. Text encoders read a few dozen words; shorten it."
            )
    return stripped
