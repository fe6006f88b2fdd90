"""An interpolation as one file: side by side, or as an animation."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from t2i.drawing.output import SHOWN_PIXELS, sheet
from t2i.drawing.provenance import png_bytes

MILLISECONDS = 80  # per frame of the GIF


def strip(pictures: Sequence[Image.Image]) -> bytes:
    """The pictures side by side, as PNG."""
    return png_bytes(sheet(pictures, len(pictures), None))


def gif(pictures: Sequence[Image.Image]) -> bytes:
    """A looping GIF, forwards and backwards."""
    scale = max(1, SHOWN_PIXELS // pictures[0].width)
    size = (pictures[0].width * scale, pictures[0].height * scale)
    first, *others = [picture.resize(size, Image.Resampling.NEAREST) for picture in pictures]
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=[*others, *others[-2::-1]], duration=MILLISECONDS, loop=0)
    return buffer.getvalue()
