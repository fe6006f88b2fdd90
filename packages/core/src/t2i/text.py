"""Captions as tensors: the TextEmbedding every generator reads, and the TextEncoder that makes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from t2i.arguments import check_text, shown
from t2i.errors import EncoderMismatchError, InvalidInputError

MAX_PROMPT_CHARACTERS = 2000


@dataclass(frozen=True)
class TextEmbedding:
    """A batch of encoded captions.

    Attributes:
        sentence: [b, d], one vector a caption.
        words: [b, l, d], one vector a token; rows where `mask` is False are zero.
        mask: [b, l], True where a real token stands. Nothing is ever inferred from zeros.
    """

    sentence: Float[Tensor, "b d"]
    words: Float[Tensor, "b l d"]
    mask: Bool[Tensor, "b l"]

    @classmethod
    def of_sentences(cls, sentence: Float[Tensor, "b d"]) -> TextEmbedding:
        """Captions of which only the sentence vectors are known; each is its own one word."""
        return cls(sentence, sentence[:, None], torch.ones(len(sentence), 1, dtype=torch.bool, device=sentence.device))

    def __len__(self) -> int:
        return self.sentence.shape[0]

    def __getitem__(self, index: Tensor | slice | list[int]) -> TextEmbedding:
        """The captions at `index`, still as a batch."""
        return TextEmbedding(self.sentence[index], self.words[index], self.mask[index])

    def to(self, device: torch.device | str) -> TextEmbedding:
        """The same embedding on `device`."""
        return TextEmbedding(self.sentence.to(device), self.words.to(device), self.mask.to(device))


@dataclass(frozen=True)
class EncoderIdentity:
    """Which text encoder it is, down to its weights; recorded in every snapshot and checked when they meet.

    Attributes:
        name: what `t2i.create_text_encoder` takes, such as "minilm".
        revision: the publisher's revision of the weights, or "" where there is none.
        sha256: of the weights file, or "" where it is not known.
        dim: width d of `sentence` and `words`.
    """

    name: str
    revision: str
    sha256: str
    dim: int

    def require(self, other: EncoderIdentity, model: str) -> None:
        """Check that `other`, the encoder at hand, is the one `model` was trained with (self).

        Raises:
            EncoderMismatchError: saying which part differs.
        """
        mine, theirs = asdict(self), asdict(other)
        for part in ("sha256", "dim", "name"):
            if mine[part] and mine[part] != theirs[part]:
                raise EncoderMismatchError(
                    f"{model} was trained with the text encoder {self.name!r} whose {part} is "
                    f"{mine[part]!r}, but the one installed here has {theirs[part]!r}. "
                    f"Install the encoder it names, or train again with this one."
                )


class TextEncoder(ABC):
    """Captions in, TextEmbedding out. An encoder is frozen; a caption's embedding depends on it alone."""

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
    def to(self, device: torch.device | str) -> TextEncoder:
        """Move the weights to `device`; returns self."""


def check_prompts(prompts: str | Iterable[str]) -> list[str]:
    """The prompts, stripped of surrounding white space; one string is one prompt.

    Raises:
        InvalidInputError: there is none, one is no string, empty or no Unicode text, or one is longer than
            MAX_PROMPT_CHARACTERS.
    """
    if isinstance(prompts, str):
        prompts = [prompts]
    if isinstance(prompts, bytes | Mapping) or not isinstance(prompts, Iterable):
        raise InvalidInputError(f"Prompts must be a string or a list of strings, got {shown(prompts)}.")
    stripped = [check_text(prompt, f"Prompt {number}").strip() for number, prompt in enumerate(prompts, start=1)]
    if not stripped:
        raise InvalidInputError('No prompt came. Say what to draw, for example "a red heart".')
    for number, prompt in enumerate(stripped, start=1):
        if not prompt.isascii() and any("\ud800" <= character <= "\udfff" for character in prompt):
            raise InvalidInputError(f"A prompt is Unicode text, but prompt {number} has a byte that is not. Retype it.")
        if not prompt:
            raise InvalidInputError(f'Prompt {number} is empty. Say what to draw, for example "a red heart".')
        if len(prompt) > MAX_PROMPT_CHARACTERS:
            raise InvalidInputError(
                f"A prompt holds at most {MAX_PROMPT_CHARACTERS} characters, but prompt {number} has "
                f"{len(prompt)}. Text encoders read a few dozen words; shorten it."
            )
    return stripped
