"""Converts pictures of any declared depth to 8 bits per channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

_BITS_PER_SAMPLE, _SAMPLE_FORMAT = 258, 339  # TIFF 6.0
_SIGNED, _FLOAT = 2, 3  # values of SampleFormat
_PNG_BITS = {"1": 1, "L;2": 2, "L;4": 4, "I;16B": 16, "RGB;16B": 16}  # by Pillow's raw mode


@dataclass(frozen=True)
class Depth:
    """How an opened file stores its samples.

    Attributes:
        bits: per sample.
        white: the value of full brightness.
    """

    bits: int
    white: float


def declared_depth(file: Image.Image) -> Depth:
    """The depth that an opened file declares. Call it before the pixels are read, which discards the depth.

    Floating-point samples are taken to be from 0 to 1, as is usual in TIFF.
    """
    if file.format == "TIFF":
        tags = file.tag_v2  # type: ignore[attr-defined]
        bits, kind = _first(tags.get(_BITS_PER_SAMPLE, 1)), _first(tags.get(_SAMPLE_FORMAT, 1))
        return Depth(bits, 1.0 if kind == _FLOAT else float(2 ** (bits - (kind == _SIGNED)) - 1))
    if file.mode == "F":
        return Depth(32, 1.0)
    if file.mode.startswith("I"):
        return Depth(16, 65535.0)
    raw = file.tile[0].args if file.format == "PNG" and file.tile else None  # type: ignore[attr-defined]
    bits = _PNG_BITS.get(raw, 8) if isinstance(raw, str) else 8
    return Depth(bits, float(2**bits - 1))


def eight_bits(picture: Image.Image, depth: Depth) -> Image.Image:
    """The picture with 8 bits per channel: grey of any depth as L, or LA if one value is transparent.

    Samples are scaled by the declared depth, never by the brightest pixel, so that a dark picture stays dark. A
    transparent value is compared with the stored samples; for 16-bit RGB only the upper bytes, because Pillow keeps no
    more.
    """
    key = picture.info.get("transparency")
    if picture.mode.startswith("I") or picture.mode == "F":
        stored = np.asarray(picture).astype(np.float64)
        scaled = np.nan_to_num(stored, nan=0.0) * (255.0 / depth.white)
        grey = Image.fromarray(scaled.clip(0, 255).round().astype(np.uint8))
        if isinstance(key, int):
            grey.putalpha(Image.fromarray(np.where(stored == key, 0, 255).astype(np.uint8)))
        return grey
    if isinstance(key, int) and picture.mode in ("1", "L") and depth.bits < 8:
        picture.info["transparency"] = round(key * 255 / depth.white)
    elif isinstance(key, tuple) and depth.bits == 16:
        picture.info["transparency"] = tuple(value >> 8 for value in key)
    return picture


def _first(value: object) -> int:
    number = value[0] if isinstance(value, tuple) and value else value
    return number if isinstance(number, int) else 1
