"""Untrusted picture files in, RGB squares out; nothing is decoded before its size is known."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from t2i.data.depth import declared_depth, eight_bits
from t2i.data.fit import CROPPED, Fitting
from t2i.data.formats import FORMATS as FORMATS
from t2i.data.formats import SVG, suffix_of, why_unread
from t2i.data.orientation import orientation_of, upright, upright_size
from t2i.data.svg import svg_as_png, svg_size
from t2i.errors import DataError
from t2i.files import open_regular, read_bytes

MAX_PIXELS = 64_000_000
MAX_PICTURE_BYTES = 256 * 2**20
MAX_SLOW_PIXELS = 4_000_000  # Pillow decodes text PPMs and unusual maxima in Python, which takes seconds per megapixel

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels of the upright picture."""


def decode_picture(
    source: Path | bytes,
    resolution: int,
    *,
    name: str = "",
    box: Box | None = None,
    background: str = "white",
    fitting: Fitting = CROPPED,
) -> tuple[Image.Image, str]:
    """Read a picture, turn it upright, make it a square, by default cut from its centre, and resize it.

    CMYK, 16-bit, grey, palette and transparent pictures become RGB on the background. If a JPEG file
    holds several pictures (MPO, as phones and drones write it), the first is read; animations are refused. Colour
    profiles are ignored.

    Args:
        source: a file, or its content.
        name: the content's file name, for its suffix; "" if it has none.
        box: use only this part of the picture, clipped to its edges.
        background: a colour Pillow knows, placed behind transparent parts.
        fitting: how the picture, or its part, becomes a square.

    Returns:
        The RGB square, `resolution` pixels per side, and a note: "" or how the file differs from
        8-bit RGB or grey in the format of its suffix.

    Raises:
        DataError: the file is empty, not a picture, damaged, animated or larger than MAX_PIXELS, or `box` is outside.
    """
    suffix, drawn = suffix_of(name if isinstance(source, bytes) else source.name), ""
    if FORMATS.get(suffix) == SVG:
        source, drawn = svg_as_png(_content(source), resolution)
        name = suffix = ""
    with _opened(source, name) as file:
        frames = getattr(file, "n_frames", 1)
        if frames > 1 and file.format != "MPO":
            raise DataError(f"an animation of {frames} frames, not one picture")
        note = drawn or _note(file, suffix)
        depth = declared_depth(file)
        orientation = orientation_of(file)
        picture = upright(on_background(eight_bits(file, depth), background), orientation)
        if box is not None:
            picture = picture.crop(_clipped(box, picture.size))
    return fitting(picture, resolution), note


def picture_size(source: Path | bytes, *, name: str = "", box: Box | None = None) -> tuple[int, int]:
    """Width and height of the upright picture, or of `box` in it, from its header alone.

    Raises:
        DataError: as in decode_picture.
    """
    if FORMATS.get(suffix_of(name if isinstance(source, bytes) else source.name)) == SVG:
        size = svg_size(_content(source))
    else:
        with _opened(source, name) as file:
            size = file.size
            if size[0] != size[1]:  # rotation does not change a square, and reading EXIF may decode the file
                size = upright_size(size, orientation_of(file))
    if box is None:
        return size
    left, top, right, bottom = _clipped(box, size)
    return right - left, bottom - top


@contextmanager
def _opened(source: Path | bytes, name: str) -> Iterator[Image.Image]:
    """The opened picture file with a checked size; any error about it, here or in the block, becomes a DataError."""
    try:
        _check_bytes(source)
        with (
            warnings.catch_warnings(),
            io.BytesIO(source) if isinstance(source, bytes) else open_regular(source) as content,
        ):
            warnings.simplefilter("ignore")  # about unusual metadata; real problems are refused below
            with Image.open(content, formats=sorted(set(FORMATS.values()) - {SVG})) as file:
                pixels = file.width * file.height
                if pixels > MAX_PIXELS:
                    raise DataError(f"{file.width}x{file.height} is more than {MAX_PIXELS // 10**6} megapixels")
                if file.format == "PPM" and pixels > MAX_SLOW_PIXELS and file.tile[0].codec_name != "raw":
                    limit = MAX_SLOW_PIXELS // 10**6
                    raise DataError(f"a PPM in text format or of an unusual depth, of more than {limit} megapixels")
                yield file
    except DataError:
        raise
    except UnidentifiedImageError:
        label = Path(name).name if isinstance(source, bytes) else source.name
        raise DataError(why_unread(label) or "not a readable picture (not in a supported format)") from None
    except Exception as error:  # Pillow's readers raise IndexError, TypeError, struct.error and more on damaged files
        where, said = (name, "the file") if isinstance(source, bytes) else (str(source), source.name)
        reason = (str(error).replace(where, said) if where else str(error)) or type(error).__name__
        raise DataError(f"not a readable picture ({reason})") from None


def _check_bytes(source: Path | bytes) -> None:
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if not size:
        raise DataError("the file is empty")
    if size > MAX_PICTURE_BYTES:
        raise DataError(f"{size} bytes are more than {MAX_PICTURE_BYTES // 2**20} MiB")


def _content(source: Path | bytes) -> bytes:
    try:
        _check_bytes(source)
        return source if isinstance(source, bytes) else read_bytes(source, MAX_PICTURE_BYTES)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})") from None


def _clipped(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    (left, top, right, bottom), (width, height) = box, size
    clipped = max(0, int(left)), max(0, int(top)), min(width, int(right)), min(height, int(bottom))
    if clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
        raise DataError(f"its box {tuple(map(int, box))} is outside the picture of {width}x{height}")
    return clipped


def _note(file: Image.Image, suffix: str) -> str:
    kind = "JPEG" if file.format == "MPO" else file.format
    if suffix and FORMATS.get(suffix) != kind:
        return f"named {suffix} but holds {kind}"
    if file.mode in ("RGB", "L", "RGBA"):
        return ""
    return {"CMYK": "CMYK", "P": "palette"}.get(file.mode, f"mode {file.mode}") + " converted to RGB"


def on_background(picture: Image.Image, background: str) -> Image.Image:
    """The picture in RGB, on `background`, a colour Pillow knows, where it is transparent."""
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA"):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, background), picture)
    return picture.convert("RGB")
