"""The file formats of drawn pictures. All three keep the provenance, and PNG and WebP keep every pixel."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

from t2i.errors import OutputError

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
HOW: Mapping[str, Mapping[str, Any]] = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True},
}
ASCII = b"ASCII\0\0\0"  # start of an EXIF UserComment: its encoding
DESCRIPTION, SOFTWARE = "Description", "Software"  # standard PNG keywords


def check_format(path: Path) -> Path:
    """`path` itself.

    Raises:
        OutputError: its suffix is not in FORMATS.
    """
    if path.suffix.lower() not in FORMATS:
        raise OutputError(
            f"Pictures are written as .png, .jpg or .webp, but {path} is not. Try {path.with_suffix('.png')}."
        )
    return path


def encoded(image: Image.Image, suffix: str = ".png") -> bytes:
    """The image as a file of this suffix, with its texts; equal images with equal texts give equal bytes."""
    buffer = io.BytesIO()
    image_format = FORMATS[suffix.lower()]
    image.save(buffer, format=image_format, **HOW[image_format])
    return buffer.getvalue()


def with_texts(texts: Mapping[str, str], image_format: str) -> dict[str, Any]:
    """The parameters of PIL's save that store texts in a file: PNG text chunks, or EXIF.

    Args:
        texts: by name: DESCRIPTION and SOFTWARE, which other programs show, and one more.
    """
    if image_format == "PNG":
        chunks = PngImagePlugin.PngInfo()
        for name, text in texts.items():
            chunks.add_itxt(name, text)
        return {"pnginfo": chunks}
    if image_format not in FORMATS.values():
        return {}
    exif = Image.Exif()
    for name, text in texts.items():
        if name == DESCRIPTION:
            exif[ExifTags.Base.ImageDescription] = text.encode()
        elif name == SOFTWARE:
            exif[ExifTags.Base.Software] = text.encode()
        else:  # JSON, which has only ASCII characters here
            exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment] = ASCII + text.encode("ascii")
    return {"exif": exif}


def read_text(image: Image.Image, name: str) -> str | None:
    """The text `name` of an opened file, or None; decodes the whole image, so that a damaged one raises."""
    image.load()
    if image.format == "PNG":
        return getattr(image, "text", {}).get(name)
    comment = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.UserComment)
    return comment.removeprefix(ASCII).decode() if isinstance(comment, bytes) and comment.startswith(ASCII) else None
