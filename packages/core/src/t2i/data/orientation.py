"""The orientation of a picture; the only place that reads it from EXIF."""

from __future__ import annotations

from PIL import ExifTags, Image

_TURNS = {  # EXIF 2.3, tag 0x0112: the operation that turns the stored picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def orientation_of(file: Image.Image) -> int:
    """The EXIF orientation of an opened file, 1 (upright) to 8; 1 if there is none, or its EXIF cannot be read.

    Only this value is read, so other damaged values do not matter.
    """
    try:
        found = file.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Pillow's EXIF reader raises SyntaxError, struct.error, KeyError and more
        return 1
    return found if found in _TURNS else 1


def upright(picture: Image.Image, orientation: int) -> Image.Image:
    """The picture turned upright."""
    return picture.transpose(_TURNS[orientation]) if orientation in _TURNS else picture


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Width and height of the upright picture, from those of the stored one."""
    return size[::-1] if orientation >= 5 else size
