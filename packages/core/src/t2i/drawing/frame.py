"""A frame around a drawn picture: padding in one colour. Provenance records it, so `t2i regenerate` adds it again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image, ImageColor, ImageOps

from t2i.arguments import check_whole_number
from t2i.data.readers.base import checked_colour
from t2i.drawing.picture import Picture
from t2i.drawing.provenance import Frame

MAX_PADDING = 4096  # pixels
EDGE = "edge"  # the background that each picture chooses: the median colour of its edges


def check_frame(padding: int, background: str) -> Frame | None:
    """A frame; None if there is no padding.

    Args:
        padding: 0 to MAX_PADDING pixels on each side.
        background: EDGE, or a colour such as "white" or "#f4f1ea".

    Raises:
        InvalidInputError: an argument is outside its range.
    """
    check_whole_number(padding, "The padding", 0, MAX_PADDING)
    if background != EDGE:
        checked_colour(background)
    return Frame(padding, background) if padding else None


def framed(picture: Picture, frame: Frame | None) -> Picture:
    """The picture inside the frame, which its provenance names; the picture itself if there is none."""
    if frame is None:
        return picture
    colour = _edge_colour(picture.image) if frame.background == EDGE else ImageColor.getrgb(frame.background)[:3]
    image = ImageOps.expand(picture.image, frame.padding, colour)
    return replace(picture, image=image, provenance=replace(picture.provenance, frame=frame))


def _edge_colour(picture: Image.Image) -> tuple[int, ...]:
    """The median colour of the four edges of an RGB picture."""
    pixels = np.asarray(picture)  # h w 3
    edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    return tuple(np.median(edges, axis=0).astype(int).tolist())
