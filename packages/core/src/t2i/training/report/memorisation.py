"""Whether a run's pictures are copies: each picture that it draws next to the training picture most like it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from t2i.data.prepare import PreparedData
from t2i.data.spread import spread
from t2i.drawing.provenance import png_bytes
from t2i.images import from_uint8, grid, to_pil

SIDE = 16  # pixels at which pictures are compared: composition and colours, not detail
MOST = 4_000  # training pictures that are compared, spread over the data
CLOSE = 0.5  # of the usual distance between a training picture and the one most like it


@dataclass(frozen=True)
class Memorisation:
    """The comparison of n drawn pictures with the training pictures.

    Attributes:
        nearest: positions in the data, of the training picture most like each drawn one.
        distances: root mean squared differences of both, in units of [-1, 1].
        usual: the median distance from a training picture to the other one most like it.
    """

    nearest: Int[Tensor, n]
    distances: Float[Tensor, n]
    usual: float

    @property
    def copies(self) -> int:
        """How many drawn pictures are much closer to a training picture than training pictures are to each other."""
        return int((self.distances < CLOSE * self.usual).sum())

    def __str__(self) -> str:
        return (
            f"{self.copies} of {len(self.nearest)} pictures drawn for the run's prompts are near copies of a training "
            f"picture: their distance to it is less than half the usual one between a training picture and its nearest "
            f"neighbour, which is {self.usual:.2g}. The drawn pictures' median distance to the nearest training "
            f"picture is {float(self.distances.median()):.2g}."
        )


def memorisation(data: PreparedData, drawn: Float[Tensor, "n 3 r r"]) -> Memorisation:
    """Compare drawn pictures, in [-1, 1], with the pictures that training saw."""
    seen = data.trained
    chosen = seen[spread(len(seen), MOST)]
    real = _small(from_uint8(_middle(data.images[torch.from_numpy(chosen)], drawn.shape[-1])))
    distances, nearest = _distances(_small(drawn.cpu().float()), real).min(1)
    among = _distances(real[:: max(1, len(real) // 500)], real)
    among[among < 1e-4] = torch.inf  # itself, and equal pictures
    usual = among.min(1).values
    usual = usual[usual.isfinite()]
    return Memorisation(torch.from_numpy(chosen)[nearest], distances, float(usual.median()) if len(usual) else 0.0)


def memorisation_sheet(data: PreparedData, drawn: Float[Tensor, "n 3 r r"], found: Memorisation) -> bytes:
    """A PNG of pairs: a drawn picture, then the training picture most like it, with the difference below."""
    real = from_uint8(_middle(data.images[found.nearest], drawn.shape[-1]))
    pairs = torch.stack([drawn.cpu().float(), real], dim=1).flatten(0, 1)
    captions = [text for distance in found.distances.tolist() for text in ("drawn", f"nearest: {distance:.2f}")]
    return png_bytes(grid(to_pil(pairs), captions=captions, scale=max(1, 96 // drawn.shape[-1])))


def _middle(images: Tensor, side: int) -> Tensor:
    margin = (images.shape[-1] - side) // 2
    return images[..., margin : margin + side, margin : margin + side]


def _small(images: Float[Tensor, "n 3 r r"]) -> Float[Tensor, "n d"]:
    return F.adaptive_avg_pool2d(images, SIDE).flatten(1)


def _distances(x: Float[Tensor, "m d"], y: Float[Tensor, "n d"]) -> Float[Tensor, "m n"]:
    return torch.cdist(x, y) / x.shape[1] ** 0.5
