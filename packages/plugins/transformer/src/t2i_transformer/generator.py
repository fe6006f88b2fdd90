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

SLOTS = 32  # words are padded to a multiple, so that a neighbour's longer caption does not change a picture's rounding


@final
class TokenTransformer(Generator[TransformerOptions]):
    """Text to image tokens by a transformer, tokens to pixels by the tokenizer's decoder."""

    technique: ClassVar[str] = "transformer"
    config_type: ClassVar[type[TransformerConfig]] = TransformerConfig
    options_type: ClassVar[type[TransformerOptions]] = TransformerOptions

    def __init__(self, config: TransformerConfig) -> None:
        """
        Raises:
            InvalidConfigError: the resolution is no whole number of tokens, or a width does not split.
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

    def generate(self, text: TextEmbedding, noise: Noise, options: TransformerOptions) -> Float[Tensor, "b 3 h w"]:
        """Draw one picture per caption.

        Raises:
            InvalidConfigError: the prior was not trained for the sampler asked for.
        """
        if options.sampler not in ("auto", self.config.prior):
            raise InvalidConfigError(
                f"transformer: the sampler is the prior's kind, but sampler={options.sampler!r} was asked of a prior "
                f"trained as {self.config.prior!r}. Leave the option out, or train with model.prior={options.sampler}."
            )
        sample = sampling.autoregressive if self.config.prior == "autoregressive" else sampling.masked
        return self.tokenizer.decode(sample(self.prior, _padded(text), noise, options))

    def reconstruct(self, images: Float[Tensor, "b 3 h w"], text: TextEmbedding) -> Float[Tensor, "b 3 h w"]:
        """The pictures through the tokenizer: the best that the prior can hope for. The text is not read."""
        return self.tokenizer.decode(self.tokenizer.encode(images))


def _padded(text: TextEmbedding) -> TextEmbedding:
    extra = -text.mask.shape[1] % SLOTS
    return TextEmbedding(text.sentence, F.pad(text.words, (0, 0, 0, extra)), F.pad(text.mask, (0, extra), value=False))


def _pixels_a_token(config: TransformerConfig) -> int:
    """Pixels a side that one token stands for."""
    return int(config.patch * 2 ** (len(config.widths) - 1))


def _check_shape(config: TransformerConfig) -> None:
    pixels = _pixels_a_token(config)
    if config.resolution % pixels:
        raise InvalidConfigError(
            f"transformer: patch={config.patch} and {len(config.widths)} widths make tokens of {pixels} px, of which "
            f"resolution={config.resolution} is no multiple. Change one of them."
        )
    uneven = [width for width in config.widths if width % GROUPS]
    if uneven:
        raise InvalidConfigError(f"transformer: widths are multiples of {GROUPS}, but {uneven} came.")
    if config.dim % config.heads:
        raise InvalidConfigError(f"transformer: heads divide dim={config.dim}, but heads={config.heads} came.")
