"""The conditional VAE as a Generator that also reconstructs and interpolates."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.errors import InvalidConfigError
from t2i.generator import Generator
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i.toolbox.word_reader import WordReader
from t2i_cvae.config import GROUPS, CVAEConfig, CVAEOptions
from t2i_cvae.model import BASE, Decoder, Encoder, slerp


class ConditionalVAE(Generator[CVAEOptions]):
    """One picture from a caption's embedding and z ~ N(0, 1); or z from a picture and its caption."""

    technique: ClassVar[str] = "cvae"
    config_type: ClassVar[type[CVAEConfig]] = CVAEConfig
    options_type: ClassVar[type[CVAEOptions]] = CVAEOptions

    def __init__(self, config: CVAEConfig) -> None:
        """
        Raises:
            InvalidConfigError: widths and patch do not give the resolution.
        """
        super().__init__()
        self.config: CVAEConfig = config
        _check_shape(self.technique, config)
        self.words = WordReader(config.text_dim, config.word_queries) if config.word_queries else None
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    @property
    def resolution(self) -> int:
        return self.config.resolution

    @property
    def text_dim(self) -> int:
        return self.config.text_dim

    def read(self, text: TextEmbedding) -> Float[Tensor, "b d"]:
        """What both networks take as the text: the sentence, and what `word_queries` read from its words, if any."""
        return text.sentence if self.words is None else self.words(text)

    def generate(self, text: TextEmbedding, noise: Noise, options: CVAEOptions) -> Float[Tensor, "b 3 h w"]:
        """Draw one picture per caption."""
        return self.decoder(options.temperature * noise.normal(self.config.latent_dim), self.read(text))

    def reconstruct(self, images: Float[Tensor, "b 3 h w"], text: TextEmbedding) -> Float[Tensor, "b 3 h w"]:
        """The pictures, decoded from the posterior's means and their captions."""
        sentence = self.read(text)
        mean, _ = self.encoder(images, sentence)
        return self.decoder(mean, sentence)

    def interpolate(
        self, text: TextEmbedding, noise: Noise, weights: Float[Tensor, f], options: CVAEOptions
    ) -> Float[Tensor, "f 3 h w"]:
        """Pictures between two ends: z moves along an arc, the sentence along a line.

        Args:
            text, noise: of the two ends; with the same caption twice only z changes, with the same seed only the text.
            weights: the weights of the second end, in [0, 1].
        """
        start, end = options.temperature * noise.normal(self.config.latent_dim)
        first, last = self.read(text)
        return self.decoder(slerp(start, end, weights), torch.lerp(first, last, weights[:, None]))


def _check_shape(technique: str, config: CVAEConfig) -> None:
    for name, widths in (("encoder_widths", config.encoder_widths), ("widths", config.widths)):
        reached = BASE * 2 ** (len(widths) - 1) * config.patch
        if reached != config.resolution:
            raise InvalidConfigError(
                f"{technique}: {len(widths)} {name} and patch={config.patch} give {reached} px per side, but "
                f"resolution={config.resolution}. Change one of them, or leave {name} out: it follows the resolution."
            )
        uneven = [width for width in widths if width % GROUPS]
        if uneven:
            raise InvalidConfigError(f"{technique}: {name} must be multiples of {GROUPS}, got {uneven}.")
