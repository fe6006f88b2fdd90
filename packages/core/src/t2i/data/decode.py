"""Untrusted picture files in, RGB squares out; nothing is decoded before its size is known."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from t2i.errors import DataError

MAX_PIXELS = 64_000_000
FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}


Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels of the upright picture."""


def decode_picture(
    source: Path | bytes,
    resolution: int,
    *,
    name: str = "",
    box: Box | None = None,
    background: str = "white",
) -> tuple[Image.Image, str]:
    """Read a picture, turn it upright, cut it to a centred square and resize it (Lanczos, antialiased).

    CMYK, 16-bit, grey, palette and transparent pictures become RGB on the background; animations are refused.

    Args:
        source: a file, or its content.
        name: the content's file name, for its suffix.
        box: use only this part of the picture, clipped to its edges; the square is cut from the part's centre.
        background: a colour Pillow knows, placed behind transparent parts.

    Returns:
        The RGB square, `resolution` pixels a side, and a note: "" or how the file differs from
        8-bit RGB or grey in the format of its suffix.

    Raises:
        DataError: the file is empty, not a picture, damaged, animated or larger than MAX_PIXELS, or `box` is outside.
    """
    with _opened(source, name) as file:
        if getattr(file, "n_frames", 1) > 1:
            raise DataError(f"an animation of {file.n_frames} frames, not one picture")  # type: ignore[attr-defined]
        note = _note(file, Path(name) if isinstance(source, bytes) else source)
        picture = _to_rgb(ImageOps.exif_transpose(file), background)
        if box is not None:
            picture = picture.crop(_clipped(box, picture.size))
    return ImageOps.fit(picture, (resolution, resolution), Image.Resampling.LANCZOS), note


def picture_size(source: Path | bytes, *, name: str = "", box: Box | None = None) -> tuple[int, int]:
    """Width and height of the upright picture, or of `box` in it, from its header alone.

    Raises:
        DataError: as in decode_picture.
    """
    with _opened(source, name) as file:
        turned = file.getexif().get(ExifTags.Base.Orientation, 1) >= 5
        width, height = file.size[::-1] if turned else file.size
    if box is None:
        return width, height
    left, top, right, bottom = _clipped(box, (width, height))
    return right - left, bottom - top


@contextmanager
def _opened(source: Path | bytes, name: str) -> Iterator[Image.Image]:
    """The opened picture file, its size checked; any error with it, here or in the block, becomes a DataError."""
    try:
        if not (len(source) if isinstance(source, bytes) else source.stat().st_size):
            raise DataError("the file is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata; real problems are refused below
            content = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(content, formats=sorted(set(FORMATS.values()))) as file:
                if file.width * file.height > MAX_PIXELS:
                    raise DataError(f"{file.width}x{file.height} is more than {MAX_PIXELS // 10**6} megapixels")
                yield file
    except DataError:
        raise
    except Exception as error:  # Pillow's readers raise IndexError, TypeError, struct.error and more on damaged files
        where, said = (name, "the file") if isinstance(source, bytes) else (str(source), source.name)
        reason = (str(error).replace(where, said) if where else str(error)) or type(error).__name__
        raise DataError(f"not a readable picture ({reason})") from None


def _clipped(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    (left, top, right, bottom), (width, height) = box, size
    clipped = max(0, int(left)), max(0, int(top)), min(width, int(right)), min(height, int(bottom))
    if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
        raise DataError(f"its box {tuple(map(int, box))} is outside the picture of {width}x{height}")
    return clipped


def _note(file: Image.Image, path: Path) -> str:
    promised = FORMATS.get(path.suffix.lower())
    if promised != file.format:
        return f"named {path.suffix} but holds {file.format}"
    if file.mode in ("RGB", "L", "RGBA"):
        return ""
    return {"CMYK": "CMYK", "P": "palette"}.get(file.mode, f"mode {file.mode}") + " converted to RGB"


def _to_rgb(picture: Image.Image, background: str) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture).astype(np.float64)
        top = 255.0 if values.max(initial=0.0) <= 255 else 65535.0
        picture = Image.fromarray((values.clip(0, top) * (255.0 / top)).round().astype(np.uint8))
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA"):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, background), picture)
    return picture.convert("RGB")
