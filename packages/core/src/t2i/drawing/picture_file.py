"""Opens a picture file that may be anything: nothing is decoded before its format and size are known."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path

from PIL import Image

from t2i.data.decode import MAX_PIXELS
from t2i.drawing.formats import FORMATS
from t2i.errors import InvalidInputError
from t2i.files import open_regular


@contextmanager
def picture_at(path: Path) -> Iterator[Image.Image]:
    """The opened PNG, JPEG or WebP picture at `path`.

    Raises:
        InvalidInputError: it is missing or cannot be read, or as `picture_in`.
    """
    try:
        file = open_regular(path)
    except FileNotFoundError:
        raise InvalidInputError(f"There is no picture at {path}.") from None
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror or error}. Give a picture file.") from None
    with file, picture_in(file, str(path)) as picture:
        yield picture


@contextmanager
def picture_in(file: BufferedReader | BytesIO, what: str) -> Iterator[Image.Image]:
    """The opened PNG, JPEG or WebP picture that `file` holds; an error of the block, too, means that it is damaged.

    Args:
        what: the picture's path or name, for messages.

    Raises:
        InvalidInputError: it is damaged, of another format, or has more than MAX_PIXELS.
    """
    try:
        with Image.open(file, formats=sorted(set(FORMATS.values()))) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise Image.DecompressionBombError(f"{picture.width}x{picture.height} pixels")
            yield picture
    except Image.DecompressionBombError as error:  # Pillow's own, if it is much too large
        most = MAX_PIXELS // 10**6
        raise InvalidInputError(
            f"A picture may have at most {most} megapixels, but {what} has more ({error}). Make it smaller."
        ) from None
    except Exception as error:  # Pillow's readers raise KeyError, struct.error and more on damaged files
        reason = getattr(error, "strerror", None) or error
        raise InvalidInputError(f"{what} is not a complete PNG, JPEG or WebP picture ({reason}).") from None
