"""Untrusted picture files in, RGB squares out; nothing is decoded before its size is known."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

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


def decode_picture(path: Path, resolution: int) -> tuple[Image.Image, str]:
    """Read a picture, turn it upright, cut it to a centred square and resize it (Lanczos, antialiased).

    CMYK, 16-bit, grey, palette and transparent pictures become RGB on white; of an animation, nothing is
    guessed: it is refused.

    Returns:
        The RGB square, `resolution` pixels a side, and a note: "" or how the file departs from plain RGB
        or grey of 8 bits that its name promises.

    Raises:
        DataError: the file is empty, no picture, damaged, animated, or larger than MAX_PIXELS.
    """
    try:
        if path.stat().st_size == 0:
            raise DataError("the file is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata; what matters is refused below
            with Image.open(path, formats=sorted(set(FORMATS.values()))) as file:
                if file.width * file.height > MAX_PIXELS:
                    raise DataError(f"{file.width}x{file.height} is more than {MAX_PIXELS // 10**6} megapixels")
                if getattr(file, "n_frames", 1) > 1:
                    raise DataError(f"an animation of {file.n_frames} frames, not one picture")  # type: ignore[attr-defined]
                note = _note(file, path)
                picture = _to_rgb(ImageOps.exif_transpose(file))
    except DataError:
        raise
    except Exception as error:  # Pillow's readers meet damage with IndexError, TypeError, struct.error and more
        reason = str(error).replace(str(path), path.name) or type(error).__name__
        raise DataError(f"not a readable picture ({reason})") from None
    return ImageOps.fit(picture, (resolution, resolution), Image.Resampling.LANCZOS), note


def _note(file: Image.Image, path: Path) -> str:
    promised = FORMATS.get(path.suffix.lower())
    if promised != file.format:
        return f"named {path.suffix} but holds {file.format}"
    if file.mode in ("RGB", "L", "RGBA"):
        return ""
    return {"CMYK": "CMYK", "P": "palette"}.get(file.mode, f"mode {file.mode}") + " converted to RGB"


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture).astype(np.float64)
        top = 255.0 if values.max(initial=0.0) <= 255 else 65535.0
        picture = Image.fromarray((values.clip(0, top) * (255.0 / top)).round().astype(np.uint8))
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA"):
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    return picture.convert("RGB")
