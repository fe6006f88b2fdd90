"""A small detector of openmoji-world's things: where each is, what it is, and in which colour."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from t2i.errors import IntegrityError, SnapshotError
from t2i.files import sha256_of

SIDE = 64  # px of its input
GRID = 16  # cells per side of its map of centres
CHANNELS = (32, 48, 96, 192)  # at 32, 16, 8 and 4 cells per side
HIDDEN = 256
THRESHOLD = 0.4  # of the probability that a thing is centred in a cell
AT_ONCE = 64
TRAIN = "Train one in a checkout of t2i: nox -s train-detector -- OUT"


@dataclass(frozen=True)
class Found:
    """One thing in a picture.

    Attributes:
        thing: its name in the detector's list; "" for anything else, or a blend of two.
        colour: the colour word of its dominant fill.
        x, y: its centre as shares of the picture's side; y points down.
    """

    thing: str
    colour: str
    x: float
    y: float


@dataclass(frozen=True)
class Maps:
    """The network's output for b pictures.

    Attributes:
        centre: logits that a thing is centred in a cell.
        scales: features at 16, 8 and 4 cells per side.
    """

    centre: Float[Tensor, "b g g"]
    scales: tuple[Float[Tensor, "b _ _ _"], ...]


@final
class Detector(nn.Module):
    """Finds centres as peaks of a map (Zhou et al. 2019, CenterNet), each classified by the features there.

    A convolutional network goes down to 4 x 4 cells; for the map, features are upsampled to 16 x 16 with lateral
    connections (Lin et al. 2017). A peak is named from the features of all scales at its place.
    """

    def __init__(self, things: Sequence[str], colours: Sequence[str]) -> None:
        """
        Args:
            things: names of the classes.
            colours: colour words.
        """
        super().__init__()
        self.things, self.colours = tuple(things), tuple(colours)
        stem, fine, middle, coarse = CHANNELS
        self.to_16 = nn.Sequential(_halved(3, stem), _halved(stem, fine), Residual(fine), Residual(fine))
        self.to_8 = nn.Sequential(_halved(fine, middle), Residual(middle), Residual(middle))
        self.to_4 = nn.Sequential(_halved(middle, coarse), Residual(coarse))
        self.up_to_8, self.up_to_16 = nn.Conv2d(coarse, middle, 1), nn.Conv2d(middle, fine, 1)
        certainty = nn.Conv2d(fine, 1, 1)
        self.centre = nn.Sequential(Residual(fine), certainty)
        self.meaning = nn.Sequential(nn.Linear(fine + middle + coarse, HIDDEN), nn.BatchNorm1d(HIDDEN), nn.ReLU())
        self.thing = nn.Linear(HIDDEN, len(things) + 1)  # the last class is "none of them"
        self.colour = nn.Linear(HIDDEN, len(colours))
        assert certainty.bias is not None
        nn.init.constant_(certainty.bias, -4.0)  # few cells are centres (Lin et al. 2017, Focal loss, sec. 3.3)

    def forward(self, images: Float[Tensor, "b 3 64 64"]) -> Maps:
        """Read pictures in [-1, 1]."""
        at_16 = self.to_16(images)
        at_8 = self.to_8(at_16)
        at_4 = self.to_4(at_8)
        middle = F.relu(at_8 + F.interpolate(self.up_to_8(at_4), scale_factor=2.0))
        fine = F.relu(at_16 + F.interpolate(self.up_to_16(middle), scale_factor=2.0))
        return Maps(self.centre(fine)[:, 0], (at_16, at_8, at_4))

    def name(
        self, maps: Maps, picture: Int[Tensor, " n"], x: Float[Tensor, " n"], y: Float[Tensor, " n"]
    ) -> tuple[Float[Tensor, "n things"], Float[Tensor, "n colours"]]:
        """Logits of thing and colour at n places, shares of the side, in the pictures of these numbers."""
        around = torch.cat([_sampled(scale, picture, x, y) for scale in maps.scales], dim=1)
        meaning = self.meaning(around)
        return self.thing(meaning), self.colour(meaning)

    @torch.inference_mode()
    def find(self, images: Float[Tensor, "b 3 h w"]) -> list[list[Found]]:
        """The things in each picture, in [-1, 1], of any size; from left to right."""
        found: list[list[Found]] = []
        for some in torch.split(images, AT_ONCE):
            found += self._found(resized(some.float()))
        return found

    def _found(self, images: Float[Tensor, "b 3 64 64"]) -> list[list[Found]]:
        maps = self(images.contiguous(memory_format=torch.channels_last))
        certain = maps.centre.sigmoid()
        peaks = (certain == F.max_pool2d(certain[:, None], 3, stride=1, padding=1)[:, 0]) & (certain > THRESHOLD)
        picture, row, column = peaks.nonzero().unbind(1)
        found: list[list[Found]] = [[] for _ in images]
        if not len(picture):
            return found
        x, y = (column + 0.5) / GRID, (row + 0.5) / GRID
        thing, colour = (logits.argmax(1) for logits in self.name(maps, picture, x, y))
        names = (*self.things, "")
        rows = zip(*(each.tolist() for each in (picture, x, y, thing, colour)), strict=True)
        for which, across, down, kind, shade in sorted(rows):
            found[which].append(Found(names[kind], self.colours[shade], across, down))
        return found


@final
class Residual(nn.Module):
    """Two convolutions with a skip connection (He et al. 2015)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return F.relu(x + self.body(x))


def resized(images: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 64 64"]:
    """The pictures at the detector's input size."""
    if images.shape[-2:] == (SIDE, SIDE):
        return images
    small = F.interpolate(images, size=(SIDE, SIDE), mode="bicubic", align_corners=False, antialias=True)
    return small.clamp(-1, 1)


def _sampled(
    scale: Float[Tensor, "b c h w"], picture: Int[Tensor, " n"], x: Float[Tensor, " n"], y: Float[Tensor, " n"]
) -> Float[Tensor, "n c"]:
    """The features at n places, bilinear between cells."""
    side = scale.shape[-1]
    places = torch.stack([x, y], dim=1).mul(side).sub(0.5).clamp(0, side - 1)  # n 2, in cells
    low = places.floor().clamp(max=side - 2).long()
    (right, down), (left, top) = (places - low).unbind(1), low.unbind(1)
    corners = ((0, 0, 1 - right, 1 - down), (1, 0, right, 1 - down), (0, 1, 1 - right, down), (1, 1, right, down))
    return sum(  # type: ignore[return-value]
        (wide * high)[:, None] * scale[picture, :, top + dy, left + dx].float() for dx, dy, wide, high in corners
    )


def _halved(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU())


def load_detector(path: Path, sha256: str = "") -> tuple[Detector, str]:
    """The detector in a safetensors file, in float32 and ready to read, and the sha256 of the file.

    Args:
        sha256: the expected one; "" accepts any.

    Raises:
        IntegrityError: the file has another sha256.
        SnapshotError: the file holds no detector.
    """
    if not path.is_file():
        raise SnapshotError(f"A detector is a safetensors file, but there is no {path}. {TRAIN}")
    found = sha256_of(path)
    if sha256 not in ("", found):
        raise IntegrityError(
            f"The sha256 of {path} must be {sha256}, but it is {found}: the file is damaged or was changed. "
            f"Install it again (pip install --force-reinstall --no-deps t2i-metrics)."
        )
    try:
        with safe_open(path, "pt") as file:
            lists: Mapping[str, str] = file.metadata() or {}
            detector = Detector(json.loads(lists["things"]), json.loads(lists["colours"]))
            detector.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise SnapshotError(f"{path} holds no detector of t2i-metrics: {error}. {TRAIN}") from None
    return detector.float().to(memory_format=torch.channels_last).eval().requires_grad_(False), found
