"""The one image convention: float32 RGB in [-1, 1], [b, 3, h, w] inside; uint8 only on input and output."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw
from torch import Tensor

from t2i.lettering.lettering import Lettering

CAPTION_LINES = 2


def to_uint8(images: Float[Tensor, "b 3 h w"]) -> UInt8[Tensor, "b 3 h w"]:
    """[-1, 1] to 0..255, rounded to nearest; values outside are clipped."""
    return images.float().add(1).mul(127.5).round_().clamp_(0, 255).to(torch.uint8)


def from_uint8(pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """0..255 to [-1, 1], float32; `to_uint8` reverses it exactly."""
    return pixels.float().div_(127.5).sub_(1)


def to_pil(images: Float[Tensor, "b 3 h w"]) -> list[Image.Image]:
    """One RGB picture per image."""
    pixels = to_uint8(images).permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(np.ascontiguousarray(picture)) for picture in pixels]


def grid(
    pictures: Sequence[Image.Image],
    columns: int | None = None,
    captions: Sequence[str] | None = None,
    scale: int = 1,
) -> Image.Image:
    """Arrange pictures of the same size on a white sheet, row by row.

    Args:
        pictures: at least one.
        columns: pictures per row; by default the sheet is about square.
        captions: one per picture, written under it in at most CAPTION_LINES lines; longer ones end in an ellipsis.
        scale: each pixel becomes scale x scale pixels.
    """
    columns = min(len(pictures), columns or math.ceil(math.sqrt(len(pictures))))
    rows = math.ceil(len(pictures) / columns)
    width, height = pictures[0].width * scale, pictures[0].height * scale
    letters = Lettering(size=10)
    texts = [letters.lines(caption, width, CAPTION_LINES) for caption in captions or ()]
    gap, line = 4, 12
    cell_w, cell_h = width + gap, height + gap + line * max(map(len, texts), default=0)
    sheet = Image.new("RGB", (columns * cell_w + gap, rows * cell_h + gap), "white")
    draw = ImageDraw.Draw(sheet)
    for position, picture in enumerate(pictures):
        left = gap + position % columns * cell_w
        top = gap + position // columns * cell_h
        sheet.paste(picture.resize((width, height), Image.Resampling.NEAREST), (left, top))
        for number, text in enumerate(texts[position] if texts else ()):
            letters.write(draw, left, top + height + number * line, text)
    return sheet
