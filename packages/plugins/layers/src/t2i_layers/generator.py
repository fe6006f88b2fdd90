"""The layered VAE as a Generator."""

from __future__ import annotations

from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from t2i.generator import Generator
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i_layers.compose import Placements, compose
from t2i_layers.config import LayersConfig, LayersOptions
from t2i_layers.model import Decoder, Encoder, Scene


@final
class LayeredVAE(Generator[LayersOptions]):
    """One picture from a caption's words and a z that fits them."""

    technique: ClassVar[str] = "layers"
    config_type: ClassVar[type[LayersConfig]] = LayersConfig
    options_type: ClassVar[type[LayersOptions]] = LayersOptions

    def __init__(self, config: LayersConfig) -> None:
        super().__init__()
        self.config: LayersConfig = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    @property
    def resolution(self) -> int:
        return self.config.resolution

    @property
    def text_dim(self) -> int:
        return self.config.text_dim

    def paint(self, scene: Scene) -> Float[Tensor, "b 3 h w"]:
        """The picture of a scene."""
        looks, places, background = scene
        sprites = torch.stack([self.decoder.artwork(look) for look in looks.unbind(1)], 1)
        return compose(background, sprites, places, self.resolution)

    def generate(self, text: TextEmbedding, noise: Noise, options: LayersOptions) -> Float[Tensor, "b 3 h w"]:
        """Draw one picture per caption."""
        return self.paint(self._imagined(text, noise, options))

    def reconstruct(self, images: Float[Tensor, "b 3 h w"], text: TextEmbedding) -> Float[Tensor, "b 3 h w"]:
        """The pictures, decoded from the posterior's means and their captions."""
        return self.paint(self.decoder.scene(self.decoder.reader(text), self.encoder(images, text.sentence).mean))

    def interpolate(
        self, text: TextEmbedding, noise: Noise, weights: Float[Tensor, f], options: LayersOptions
    ) -> Float[Tensor, "f 3 h w"]:
        """Pictures between two ends: things move, turn, grow and change on a straight line between two scenes.

        Args:
            text, noise: of the two ends.
            weights: the weights of the second end, in [0, 1].
        """
        ends = torch.stack([1 - weights, weights], 1)  # f 2

        def between(numbers: Float[Tensor, "2 ..."]) -> Float[Tensor, "f ..."]:
            return torch.einsum("fe,e...->f...", ends, numbers)

        looks, (thing, *places), background = self._imagined(text, noise, options)
        return self.paint(Scene(between(looks), Placements(thing, *map(between, places)), between(background)))

    def _imagined(self, text: TextEmbedding, noise: Noise, options: LayersOptions) -> Scene:
        read = self.decoder.reader(text)
        z = self.decoder.planner.expected(read).at(options.temperature * noise.normal(self.config.latent_dim))
        return self.decoder.scene(read, z)
