"""Picture files by suffix: formats that are read, and formats that are only reported."""

from __future__ import annotations

import importlib.util
from pathlib import PurePosixPath

from PIL import features

SVG = "SVG"
FORMATS = {
    ".png": "PNG",
    ".apng": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".pbm": "PPM",
    ".pnm": "PPM",
}
"""Pillow's formats by suffix. Formats with rarely used decoders, such as JPEG 2000, are left out on purpose."""
if features.check("avif"):
    FORMATS[".avif"] = "AVIF"
if importlib.util.find_spec("resvg_py") is not None:
    FORMATS[".svg"] = SVG

_REMEDIES = {
    ".avif": "pip install 'pillow>=11.3'",
    ".svg": "pip install resvg-py",
}
_OTHERS = frozenset(
    {
        ".avif",
        ".svg",
        ".svgz",
        ".heic",
        ".heif",
        ".jp2",
        ".j2k",
        ".jpx",
        ".jxl",
        ".ico",
        ".icns",
        ".psd",
        ".tga",
        ".pcx",
        ".exr",
        ".hdr",
        ".eps",
        ".xcf",
        ".dng",
        ".cr2",
        ".cr3",
        ".nef",
        ".arw",
        ".orf",
        ".rw2",
        ".raf",
    }
)
UNREAD = _OTHERS - FORMATS.keys()
"""Suffixes of pictures that are not read."""


def suffix_of(name: str) -> str:
    """The suffix of a file's name in lower case, such as ".png"."""
    return PurePosixPath(name).suffix.lower()


def is_picture(name: str) -> bool:
    """Whether a file of this name is a picture, in a supported format or not."""
    return suffix_of(name) in FORMATS or suffix_of(name) in UNREAD


def why_unread(name: str) -> str:
    """Why a picture of this name is not supported; "" if it is."""
    suffix = suffix_of(name)
    if suffix not in UNREAD:
        return ""
    remedy = _REMEDIES.get(suffix, "save it as PNG or JPEG")
    return f"pictures in {suffix} are not read; {remedy}"
