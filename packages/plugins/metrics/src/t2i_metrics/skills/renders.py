"""The detector's training pictures: scenes of openmoji-world, drawn from separate random streams."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from t2i.images import from_uint8
from t2i_metrics.skills.detector import SIDE
from t2i_openmoji.dataset import svg_folder
from t2i_openmoji.world.colours import COLOURS
from t2i_openmoji.world.drawing import draw
from t2i_openmoji.world.draws import Draws
from t2i_openmoji.world.layout import Placement, arrange
from t2i_openmoji.world.sampling import any_scene
from t2i_openmoji.world.scene import Part, Scene
from t2i_openmoji.world.things import cast, things

MEDLEYS, BLENDS = 0.08, 0.06  # shares of the pictures: several different things; a blend of two
RESAMPLED, SPECKLED, COMPRESSED, WARPED = 0.6, 0.5, 0.15, 0.5  # shares of the changed pictures


@dataclass(frozen=True)
class Labelled:
    """A drawn picture with its labels.

    Attributes:
        pixels: RGB.
        placed: the things and their places; the colour is "" if a thing has its own.
        blended: whether it shows a blend, which is not a known thing.
    """

    pixels: UInt8[np.ndarray, "64 64 3"]
    placed: tuple[Placement, ...]
    blended: bool


def labelled(stream: str) -> Labelled:
    """The picture of a named stream; streams of the dataset's splits have other names."""
    draws, folder = Draws(f"openmoji-world detector {stream}"), _folder()
    scene = any_scene(draws, cast())
    placed = arrange(scene, draws)
    kind = draws.weighted({"medley": MEDLEYS, "blend": BLENDS, "": 1 - MEDLEYS - BLENDS})
    if kind == "medley":
        scene, placed = _medley(draws)
    pixels = np.asarray(draw(folder, placed, scene.background, SIDE))
    if kind == "blend":
        over = tuple(_other(placement, draws) for placement in placed)
        second = np.asarray(draw(folder, over, scene.background, SIDE))
        pixels = ((pixels.astype(np.uint16) + second) // 2).astype(np.uint8)
    return Labelled(pixels, placed, kind == "blend")


@cache
def _folder() -> Path:
    return svg_folder()


def _medley(draws: Draws) -> tuple[Scene, tuple[Placement, ...]]:
    """Two to five different things."""
    scene = Scene((Part("dog", count=draws.pick(range(2, 6))),))
    return scene, tuple(_other(placement, draws) for placement in arrange(scene, draws))


def _other(placement: Placement, draws: Draws) -> Placement:
    """The same place for a random thing, in a random colour or its own."""
    thing = draws.pick(tuple(things().values()))
    colour = draws.pick(COLOURS) if thing.colour and draws.chance(0.5) else ""
    return replace(placement, thing=thing.key, colour=colour, mirrored=placement.mirrored and thing.mirrors)


def changed(images: Float[Tensor, "b 3 h w"], stream: torch.Generator) -> Float[Tensor, "b 3 h w"]:
    """Resembling generated pictures: warped, slightly tinted, blurred, noisy, compressed; colours are kept."""
    images = _each(images, stream, WARPED, _warped)
    tint, shade = _between(images, stream, -0.05, 0.05, 3), _between(images, stream, -0.07, 0.07, 1)
    images = images * _between(images, stream, 0.92, 1.04, 1) + tint + shade
    images = torch.cat([_each(some, stream, RESAMPLED, _resampled) for some in torch.chunk(images, 4)])
    images = _each(images, stream, SPECKLED, _speckled).clamp(-1, 1)
    return _each(images, stream, COMPRESSED, _compressed)


def _each(images: Tensor, stream: torch.Generator, share: float, change) -> Tensor:  # type: ignore[no-untyped-def]
    chosen = torch.rand(len(images), generator=stream) < share
    if chosen.any():
        images = images.clone()
        images[chosen] = change(images[chosen], stream)
    return images


def _between(images: Tensor, stream: torch.Generator, low: float, high: float, channels: int) -> Tensor:
    return low + (high - low) * torch.rand(len(images), channels, 1, 1, generator=stream)


def _warped(images: Tensor, stream: torch.Generator) -> Tensor:
    """Warped smoothly by up to about two pixels."""
    count, side = len(images), images.shape[-1]
    bend = torch.randn(count, 2, 5, 5, generator=stream) * _between(images, stream, 0, 0.9, 1) * 2 / side
    grid = F.affine_grid(torch.eye(2, 3).expand(count, 2, 3), list(images.shape), align_corners=False)
    smooth = F.interpolate(bend, size=(side, side), mode="bicubic", align_corners=False)
    return F.grid_sample(images, grid + smooth.permute(0, 2, 3, 1), padding_mode="border", align_corners=False)


def _resampled(images: Tensor, stream: torch.Generator) -> Tensor:
    """A chunk of pictures reduced to fewer pixels and enlarged again."""
    side = images.shape[-1]
    fewer = int(torch.randint(side * 3 // 8, side, (), generator=stream))
    small = F.interpolate(images, size=(fewer, fewer), mode="area")
    return F.interpolate(small, size=(side, side), mode="bilinear", align_corners=False)


def _speckled(images: Tensor, stream: torch.Generator) -> Tensor:
    return images + torch.randn(images.shape, generator=stream) * _between(images, stream, 0, 0.12, 1)


def _compressed(images: Tensor, stream: torch.Generator) -> Tensor:
    qualities = torch.randint(30, 80, (len(images),), generator=stream).tolist()
    return torch.stack([_jpeg(image, quality) for image, quality in zip(images, qualities, strict=True)])


def _jpeg(image: Float[Tensor, "3 h w"], quality: int) -> Float[Tensor, "3 h w"]:
    pixels = image.add(1).mul(127.5).round().byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return to_images([np.asarray(Image.open(file))])[0]


def to_images(pixels: Sequence[UInt8[np.ndarray, "h w 3"]]) -> Float[Tensor, "b 3 h w"]:
    """Pixels as pictures in [-1, 1]."""
    return from_uint8(torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2))
