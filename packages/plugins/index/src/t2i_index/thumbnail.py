"""Small copies of pictures, and pictures that have moved."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from t2i.errors import InvalidInputError
from t2i.files import sha256_of
from t2i_index.record import Record

SIDE = 128  # pixels per side, at most
MOST_FILES = 100_000  # files examined to find a moved picture


def thumbnail(picture: Image.Image) -> bytes:
    """The picture as WebP of at most SIDE pixels per side; small pictures keep their size."""
    small = picture.convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80, method=0)
    return buffer.getvalue()


def find_picture(record: Record) -> Path:
    """The record's file: at its path, or, if it was moved or renamed, anywhere under the same folder.

    Raises:
        InvalidInputError: it is gone, or was changed.
    """
    path = Path(record.path)
    if path.is_file() and sha256_of(path) == record.sha256:
        return path
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    for number, other in enumerate(folder.rglob(f"*{path.suffix}")):
        if number >= MOST_FILES:
            break
        if other != path and other.is_file() and sha256_of(other) == record.sha256:
            return other
    gone = "was changed" if path.is_file() else "is gone"
    raise InvalidInputError(
        f"The picture {path} {gone}, and no file under {folder} has its sha256. If you moved it, add it again: "
        f"t2i index add FOLDER. To draw it again: t2i search ... --again"
    )
