"""The smallest text encoder and generator that fulfil their contracts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from t2i.config import Config
from t2i.generator import Generator
from t2i.noise import Noise
from t2i.text import EncoderIdentity, TextEmbedding, TextEncoder, Unread, behind


@final
class FakeTextEncoder(TextEncoder):
    """Each word is a vector drawn from its own hash; the sentence is their mean.

    Args:
        dim: width of both.
        sha256: recorded as that of its weights.
    """

    def __init__(self, dim: int = 8, sha256: str = "0" * 64) -> None:
        self._identity = EncoderIdentity(name="fake", revision="", sha256=sha256, dim=dim)
        self._device = torch.device("cpu")
        self.encoded: list[str] = []
        """Every caption that `encode` has encoded."""

    @property
    def identity(self) -> EncoderIdentity:
        return self._identity

    @property
    def max_words(self) -> int:
        return 6

    def encode(self, captions: Sequence[str]) -> TextEmbedding:
        self.encoded += captions
        rows = [torch.stack([self._word(word) for word in c.split()[: self.max_words]]) for c in captions]
        words = nn.utils.rnn.pad_sequence(rows, batch_first=True)  # b l d
        mask = torch.arange(words.shape[1]) < torch.tensor([[len(row)] for row in rows])
        sentence = torch.stack([row.mean(0) for row in rows])
        return TextEmbedding(sentence, words, mask).to(self._device)

    def tokens(self, caption: str) -> tuple[str, ...]:
        return tuple(caption.split()[: self.max_words])

    def unread(self, prompts: Sequence[str]) -> list[Unread]:
        return [Unread(cut=behind(self.tokens(prompt), prompt)) for prompt in prompts]

    def to(self, device: torch.device | str) -> FakeTextEncoder:
        self._device = torch.device(device)
        return self

    def _word(self, word: str) -> Float[Tensor, " d"]:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:7])
        return torch.randn(self._identity.dim, generator=torch.Generator().manual_seed(seed))


class FakeConfig(Config):
    """The shape of a FakeGenerator."""

    resolution: int = Field(8, ge=1, description="pixels per side")
    text_dim: int = Field(8, ge=1)
    noise_dim: int = Field(4, ge=1)


class FakeOptions(Config):
    """The options of a FakeGenerator."""

    gain: float = Field(1.0, gt=0, description="scales the noise")


@final
class FakeGenerator(Generator[FakeOptions]):
    """One linear layer from (sentence, z) to pixels."""

    technique: ClassVar[str] = "fake"
    config_type: ClassVar[type[FakeConfig]] = FakeConfig
    options_type: ClassVar[type[FakeOptions]] = FakeOptions

    def __init__(self, config: FakeConfig | None = None) -> None:
        super().__init__()
        self.config: FakeConfig = config or FakeConfig()
        inputs = self.config.text_dim + self.config.noise_dim
        self.to_pixels = nn.Linear(inputs, 3 * self.config.resolution**2)

    @property
    def resolution(self) -> int:
        return self.config.resolution

    @property
    def text_dim(self) -> int:
        return self.config.text_dim

    def forward(self, sentence: Float[Tensor, "b d"], z: Float[Tensor, "b z"]) -> Float[Tensor, "b 3 h w"]:
        """The network itself, for training."""
        pixels = torch.tanh(self.to_pixels(torch.cat([sentence, z], dim=1)))
        return pixels.unflatten(1, (3, self.resolution, self.resolution))

    def generate(self, text: TextEmbedding, noise: Noise, options: FakeOptions) -> Float[Tensor, "b 3 h w"]:
        return self.forward(text.sentence, options.gain * noise.normal(self.config.noise_dim))
