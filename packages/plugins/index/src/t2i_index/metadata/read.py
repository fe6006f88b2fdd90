"""Reads an untrusted picture file: its metadata, its hash, and a small copy."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import replace
from pathlib import Path

from PIL import Image
from pydantic import ValidationError

from t2i.drawing.formats import FORMATS
from t2i.drawing.provenance import CHUNK, provenance_type
from t2i.errors import DataError
from t2i.files import read_bytes
from t2i_index.metadata.a1111 import read_a1111
from t2i_index.metadata.comfyui import read_comfyui
from t2i_index.metadata.invokeai import read_invokeai
from t2i_index.metadata.values import MOST_JSON
from t2i_index.record import Entry, Record, drawn, within_calendar
from t2i_index.thumbnail import thumbnail

MOST_BYTES = 256 * 2**20
MOST_PIXELS = 100_000_000
USER_COMMENT, EXIF = 0x9286, 0x8769
ENCODINGS = {b"UNICODE\0": "utf-16-be", b"ASCII\0\0\0": "ascii"}


def read_picture(path: Path, run: str) -> Entry | None:
    """The entry for a picture file; None if its metadata does not say what was drawn.

    Raises:
        DataError: it is not a complete picture, or too large.
    """
    content = read_bounded(path, MOST_BYTES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MOST_PIXELS is checked instead
            with Image.open(io.BytesIO(content), formats=[FORMATS[path.suffix.lower()]]) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise DataError(f"it has {image.width} x {image.height} pixels; at most {MOST_PIXELS:,} are read")
                small = thumbnail(image)
                found = understand(_texts(image))
    except DataError:
        raise
    except Exception as error:  # Pillow raises any exception for malicious files
        raise DataError(f"it is not a complete picture ({error})") from None
    if found is None:
        return None
    record = replace(
        found,
        path=str(path.absolute()),
        sha256=hashlib.sha256(content).hexdigest(),
        time=within_calendar(path.stat().st_mtime),
        run=run,
    )
    return Entry(record, small)


def understand(texts: dict[str, str]) -> Record | None:
    """How a picture was made, from its text chunks; None if no known program wrote them."""
    for reader in (_read_t2i, read_invokeai, read_a1111, read_comfyui):
        found = reader(texts)
        if found is not None:
            return found
    return None


def read_bounded(path: Path, most: int) -> bytes:
    """The content of a regular file of at most `most` bytes.

    Raises:
        DataError: it is no regular file, larger, or cannot be read.
    """
    try:
        return read_bytes(path, most)
    except OSError as error:
        raise DataError(f"it cannot be read ({error.strerror})") from None


def _read_t2i(texts: dict[str, str]) -> Record | None:
    text = texts.get(CHUNK, "")
    if not 0 < len(text) <= MOST_JSON:
        return None
    try:
        found = provenance_type().validate_json(text, strict=True)
    except ValidationError:
        return None
    if not found.prompt.strip() or not 0 <= found.seed < 2**63:
        return None
    return drawn(found)


def _texts(image: Image.Image) -> dict[str, str]:
    """Text chunks of a PNG, and EXIF's user comment, in which A1111 writes its parameters in JPEG and WebP."""
    texts = {key: str(value) for key, value in image.info.items() if isinstance(key, str) and isinstance(value, str)}
    texts |= {str(key): str(value) for key, value in getattr(image, "text", {}).items()}
    comment = image.getexif().get_ifd(EXIF).get(USER_COMMENT)
    if isinstance(comment, bytes) and "parameters" not in texts:
        encoding = ENCODINGS.get(comment[:8])
        if encoding is not None:
            texts["parameters"] = comment[8:].decode(encoding, "replace")
    return texts
