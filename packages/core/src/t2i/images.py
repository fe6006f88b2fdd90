"""The one image convention: float32 RGB in [-1, 1], [b, 3, h, w] inside; uint8 only at the edge, through here."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor


def to_uint8(images: Float[Tensor, "b 3 h w"]) -> UInt8[Tensor, "b 3 h w"]:
    """[-1, 1] to 0..255, rounded to nearest; values outside are clipped."""
    return images.float().add(1).mul(127.5).round_().clamp_(0, 255).to(torch.uint8)


def from_uint8(pixels: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """0..255 to [-1, 1], float32; `to_uint8` undoes it exactly."""
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
    """Lay pictures of one size out on a white sheet, row by row.

    Args:
        pictures: at least one.
        columns: pictures a row; by default the sheet is about square.
        captions: one per picture, written under it in one line, cut to its width.
        scale: each pixel becomes scale x scale pixels.
    """
    columns = min(len(pictures), columns or math.ceil(math.sqrt(len(pictures))))
    rows = math.ceil(len(pictures) / columns)
    width, height = pictures[0].width * scale, pictures[0].height * scale
    gap, line = 4, 13 if captions else 0
    cell_w, cell_h = width + gap, height + line + gap
    sheet = Image.new("RGB", (columns * cell_w + gap, rows * cell_h + gap), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=10)
    for position, picture in enumerate(pictures):
        left = gap + position % columns * cell_w
        top = gap + position // columns * cell_h
        sheet.paste(picture.resize((width, height), Image.Resampling.NEAREST), (left, top))
        if captions:
            text = " ".join(captions[position].split())
            fitting = _fitting(text, width, lambda part: draw.textlength(part, font=font))
            draw.text((left, top + height), fitting, fill="black", font=font)
    return sheet


def _fitting(text: str, width: float, length: Callable[[str], float]) -> str:
    """The longest beginning of `text` that is not longer than `width`."""
    return text[: bisect_right(range(1, len(text) + 1), width, key=lambda end: length(text[:end]))]
