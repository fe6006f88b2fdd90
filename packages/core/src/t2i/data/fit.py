"""How a picture that is not square becomes one. Imports no heavy library.

There are no buckets of several shapes: every picture of a run is a square of one size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from PIL import Image

Fit = Literal["crop", "pad", "squash"]
Position = Literal["centre", "start", "end"]
PLACES = {"centre": 0.5, "start": 0.0, "end": 1.0}


@dataclass(frozen=True)
class Fitting:
    """How pictures become squares.

    Attributes:
        fit: "crop" keeps the largest square, "pad" adds stripes in the colour of the picture's edges, "squash" changes
            the proportions.
        position: the part that "crop" keeps, or the place where "pad" puts the picture: "start" is the top or the left.
    """

    fit: Fit = "crop"
    position: Position = "centre"

    def __str__(self) -> str:
        return self.fit if self.position == "centre" else f"{self.fit}, {self.position}"

    def __call__(self, picture: Image.Image, side: int) -> Image.Image:
        """The RGB picture as a square of `side` pixels (Lanczos, antialiased)."""
        from PIL import Image, ImageOps

        size, place = (side, side), (PLACES[self.position],) * 2
        if self.fit == "squash":
            return picture.resize(size, Image.Resampling.LANCZOS)
        if self.fit == "pad":
            return ImageOps.pad(picture, size, Image.Resampling.LANCZOS, color=edge_colour(picture), centering=place)
        return ImageOps.fit(picture, size, Image.Resampling.LANCZOS, centering=place)


CROPPED = Fitting()


def edge_colour(picture: Image.Image) -> tuple[int, int, int]:
    """The median colour of the two edges next to which stripes are added."""
    import numpy as np

    pixels = np.asarray(picture)  # h w 3
    edges = pixels[[0, -1]] if picture.width > picture.height else pixels[:, [0, -1]]
    red, green, blue = np.median(edges.reshape(-1, 3), axis=0).astype(int).tolist()
    return red, green, blue
