"""Tokenizer and prior as a Generator."""

from __future__ import annotations

from typing import ClassVar, final

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidConfigError
from t2i.generator import Generator
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i_transformer import sampling
from t2i_transformer.config import TransformerConfig, TransformerOptions
from t2i_transformer.prior import Prior
from t2i_transformer.tokenizer import GROUPS, Tokenizer

SLOTS = 32  # words are padded to a multiple, so that a longer caption in the batch does not change a picture's rounding
LARGEST = 2**62  # tokens


@final
class TokenTransformer(Generator[TransformerOptions]):
    """Text to image tokens by a transformer, tokens to pixels by the tokenizer's decoder."""

    technique: ClassVar[str] = "transformer"
    config_type: ClassVar[type[TransformerConfig]] = TransformerConfig
    options_type: ClassVar[type[TransformerOptions]] = TransformerOptions

    def __init__(self, config: TransformerConfig) -> None:
        """
        Raises:
            InvalidConfigError: the resolution is not a whole number of tokens, or a width is not divisible.
        """
        super().__init__()
        self.config: TransformerConfig = config
        _check_shape(config)
        self.tokenizer = Tokenizer(config)
        self.prior = Prior(config, config.resolution // _pixels_a_token(config))

    @property
    def resolution(self) -> int:
        return self.config.resolution

    @property
    def text_dim(self) -> int:
        return self.config.text_dim

    @property
    def not_one_graph(self) -> str:
        """A loop over tokens would be unrolled."""
        if self.config.prior == "masked":
            return ""
        return (
            f"Its prior writes {self.prior.length} tokens one after the other, each by a run of the whole network, so "
            f"the graph would be {self.prior.length} copies of the network."
        )

    def generate(self, text: TextEmbedding, noise: Noise, options: TransformerOptions) -> Float[Tensor, "b 3 h w"]:
        """Draw one picture per caption.

        Raises:
            InvalidConfigError: the prior was not trained for this sampler.
        """
        if options.sampler not in ("auto", self.config.prior):
            raise InvalidConfigError(
                f"transformer: the sampler must be the prior's kind, {self.config.prior!r}, got "
                f"sampler={options.sampler!r}. Leave the option out, or train with model.prior={options.sampler}."
            )
        sample = sampling.autoregressive if self.config.prior == "autoregressive" else sampling.masked
        return self.tokenizer.decode(sample(self.prior, _padded(text), noise, options))

    def reconstruct(self, images: Float[Tensor, "b 3 h w"], text: TextEmbedding) -> Float[Tensor, "b 3 h w"]:
        """The pictures encoded and decoded by the tokenizer, the upper bound of the prior. The text is not read."""
        return self.tokenizer.decode(self.tokenizer.encode(images))

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Of the tokenizer's latents."""
        side = self.resolution // _pixels_a_token(self.config)
        return self.config.code_dim, side, side

    def compress(self, images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b c y x"]:
        """The tokenizer's latents, before they are rounded to codes."""
        return self.tokenizer.latents(images).transpose(1, 2).reshape(len(images), *self.latent_shape)

    def restore(self, latents: Float[Tensor, "b c y x"]) -> Float[Tensor, "b 3 h w"]:
        """Latents rounded to codes, and decoded."""
        return self.tokenizer.decode(self.tokenizer.nearest(latents.flatten(2).transpose(1, 2)))


def _padded(text: TextEmbedding) -> TextEmbedding:
    extra = -text.mask.shape[1] % SLOTS
    return TextEmbedding(text.sentence, F.pad(text.words, (0, 0, 0, extra)), F.pad(text.mask, (0, extra), value=False))


def _pixels_a_token(config: TransformerConfig) -> int:
    """Pixels per side of one token."""
    return int(config.patch * 2 ** (len(config.widths) - 1))


def _check_shape(config: TransformerConfig) -> None:
    pixels = _pixels_a_token(config)
    if config.resolution % pixels:
        raise InvalidConfigError(
            f"transformer: patch={config.patch} and {len(config.widths)} widths give tokens of {pixels} px, and the "
            f"resolution must be a multiple, got resolution={config.resolution}. Change one of them."
        )
    uneven = [width for width in config.widths if width % GROUPS]
    if uneven:
        raise InvalidConfigError(f"transformer: widths must be multiples of {GROUPS}, got {uneven}.")
    if config.code_depth > 1 and config.prior == "masked":
        raise InvalidConfigError(
            f"transformer: the masked prior reads tokens of one code, got code_depth={config.code_depth}. Choose "
            f"prior=autoregressive, or code_depth=1."
        )
    if config.codes**config.code_depth > LARGEST:
        raise InvalidConfigError(
            f"transformer: a token is a 64-bit number, so codes ** code_depth must be at most 2^62, got "
            f"{config.codes} ** {config.code_depth}. Choose fewer codes."
        )
    if config.dim % config.heads:
        raise InvalidConfigError(f"transformer: heads must divide dim={config.dim}, got heads={config.heads}.")
