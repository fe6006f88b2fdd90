"""The layered VAE as a Generator."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, final

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from t2i.drawing.abilities import Attended
from t2i.generator import Generator
from t2i.noise import Noise
from t2i.text import TextEmbedding
from t2i_layers.compose import Placements, compose, finer, seen
from t2i_layers.config import LayersConfig, LayersOptions
from t2i_layers.model import Decoder, Encoder, Scene
from t2i_layers.sharpen import sharpen


class Found(NamedTuple):
    """A place that was tried for one placement of each picture.

    Attributes:
        better: whether the scene is more like the picture with it.
        placement: the number of that placement.
        x, y, side: as in `Placements`.
    """

    better: Bool[Tensor, b]
    placement: Int[Tensor, b]
    x: Float[Tensor, b]
    y: Float[Tensor, b]
    side: Float[Tensor, b]


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

    def paint(self, scene: Scene, sharpness: float = 0.0) -> Float[Tensor, "b 3 h w"]:
        """The picture of a scene."""
        return compose(scene.background, self.sprites(scene, sharpness), scene.places, self.resolution)

    def sprites(self, scene: Scene, sharpness: float = 0.0) -> Float[Tensor, "b t 4 s s"]:
        """The drawings of a scene's things."""
        return torch.stack([sharpen(self.decoder.artwork(look), sharpness) for look in scene.looks.unbind(1)], 1)

    @torch.no_grad()
    def fitting(
        self, scene: Scene, sprites: Float[Tensor, "b t 4 s s"], images: Float[Tensor, "b 3 h w"]
    ) -> Int[Tensor, b]:
        """The order of the things that makes a scene most like a picture, both at a quarter of their sides."""
        side = max(self.resolution // 4, 1)
        wanted, errors = F.adaptive_avg_pool2d(images, side), []
        for order in range(scene.orders.shape[1]):
            tried = scene.in_order(torch.full((len(images),), order, device=images.device))
            errors.append((compose(scene.background, sprites, tried.places, side) - wanted).square().mean((1, 2, 3)))
        return torch.stack(errors, 1).argmin(1)

    @torch.no_grad()
    def found(
        self,
        scene: Scene,
        sprites: Float[Tensor, "b t 4 s s"],
        images: Float[Tensor, "b 3 h w"],
        uniform: Float[Tensor, "b n 4"],
    ) -> Found:
        """The best of n random places for one visible placement of each picture, all at a quarter of their sides.

        Args:
            uniform: numbers in [0, 1): which placement, x, y and side.
        """
        side, rows = max(self.resolution // 4, 1), torch.arange(len(images), device=images.device)
        wanted, small = F.adaptive_avg_pool2d(images, side), F.adaptive_avg_pool2d(sprites.flatten(0, 1), side)
        small, visible = torch.unflatten(small, 0, sprites.shape[:2]), scene.places.presence > 0.5
        numbers = (uniform[..., 0] * visible.sum(1, keepdim=True)).long()
        placement = visible.byte().argsort(dim=1, descending=True, stable=True).gather(1, numbers)
        x, y, sides = 0.8 * uniform[..., 1] - 0.4, 0.8 * uniform[..., 2] - 0.4, 0.2 + 0.4 * uniform[..., 3]

        def error(places: Placements) -> Float[Tensor, b]:
            return (compose(scene.background, small, places, side) - wanted).square().mean((1, 2, 3))

        errors = []
        for number in range(uniform.shape[1]):
            tried = [n.clone() for n in (scene.places.x, scene.places.y, scene.places.side)]
            for numbers, new in zip(tried, (x, y, sides), strict=True):
                numbers[rows, placement[:, number]] = new[:, number]
            errors.append(error(scene.places._replace(x=tried[0], y=tried[1], side=tried[2])))
        least, best = torch.stack(errors, 1).min(1)
        chosen = (n[rows, best] for n in (placement, x, y, sides))
        return Found(least < error(scene.places), *chosen)

    def generate(self, text: TextEmbedding, noise: Noise, options: LayersOptions) -> Float[Tensor, "b 3 h w"]:
        """Draw one picture per caption."""
        return self.paint(self._imagined(text, noise, options), options.sharpness)

    def attend(self, text: TextEmbedding, noise: Noise, options: LayersOptions) -> Attended:
        """Draw as `generate` does; a pixel attends as the query of the thing seen there attends."""
        scene = self._imagined(text, noise, options)
        sprites = self.sprites(scene, options.sharpness)
        shares = seen(sprites, scene.places, self.resolution)
        maps = torch.einsum("bqhw,bql->blhw", shares, self.decoder.reader.attention(text))
        return Attended(compose(scene.background, sprites, scene.places, self.resolution), maps)

    def reconstruct(self, images: Float[Tensor, "b 3 h w"], text: TextEmbedding) -> Float[Tensor, "b 3 h w"]:
        """The pictures, decoded from the posterior's means and their captions."""
        scene = self.decoder.scene(self.decoder.read(text), self.encoder(images, text.sentence).mean).dealt()
        return self.paint(scene.in_order(self.fitting(scene, self.sprites(scene), images)).decided())

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

        looks, (thing, *where), background, orders = self._imagined(text, noise, options)
        places = Placements(thing, *map(between, where))
        scene = Scene(between(looks), places, between(background), between(orders))
        return self.paint(scene, options.sharpness)

    def _imagined(self, text: TextEmbedding, noise: Noise, options: LayersOptions) -> Scene:
        read, (normal, uniform) = self.decoder.read(text), (noise.normal(self.config.latent_dim), noise.uniform(2))
        expected = self.decoder.planner.expected(read)
        part = _chosen(expected.log_weights, uniform[:, 0], options.temperature)
        scene = self.decoder.scene(read, expected.part(part).at(options.temperature * normal)).dealt()
        return scene.in_order(_chosen(scene.orders, uniform[:, 1], options.temperature)).decided()


def _chosen(log_weights: Float[Tensor, "b k"], uniform: Float[Tensor, b], temperature: float) -> Int[Tensor, b]:
    """One of k for each picture, by a number in [0, 1): the likeliest at temperature 0."""
    shares = (finer(log_weights) / max(temperature, 1e-6)).softmax(1).cumsum(1)
    return (shares[:, :-1] <= uniform[:, None]).sum(1)
