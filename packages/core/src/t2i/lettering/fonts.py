"""Fonts for any script: Pillow's own for plain English, matplotlib's DejaVu Sans, and installed fonts."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ImageFont

if TYPE_CHECKING:
    from matplotlib.ft2font import FT2Font

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
PLAIN = frozenset(map(chr, range(32, 127))) | set("©«°±´·»‘’“”…‹›⁄™")  # noqa: RUF001 (what Pillow's font has)
BLOCK_BITS = 8  # one font is chosen for each block of 256 characters
UNUSUAL = ("bold", "italic", "oblique", "black", "light", "thin", "medium", "mono", "serif", "condensed")


def runs(line: str, size: int) -> Iterator[tuple[str, Font]]:
    """The line split into parts of one font each; characters that no font has are in parts of DejaVu Sans.

    Args:
        size: of the letters, in pixels.
    """
    if is_plain(line):
        yield line, _default(size)
        return
    part, used = "", _dejavu()
    for character in line:
        path = font_with(character) or _dejavu()
        follows = character.isspace() or unicodedata.category(character)[0] in "MC"
        if part and path != used and not follows:
            yield part, _truetype(used, size)
            part, used = "", path
        elif not part:
            used = path
        part += character
    yield part, _truetype(used, size)


def is_plain(line: str) -> bool:
    """Whether Pillow's own font can write the line."""
    return PLAIN.issuperset(line)


@lru_cache(4096)
def font_with(character: str) -> Path | None:
    """A font file that has the character: DejaVu Sans, or one of this machine's; None if there is none."""
    for path in (_dejavu(), _machine_font(ord(character) >> BLOCK_BITS)):
        if path is not None and _face(path).get_char_index(ord(character)):
            return path
    return None


@lru_cache(16)
def _default(size: int) -> Font:
    return ImageFont.load_default(size)


@lru_cache(1)
def _dejavu() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")


@lru_cache(None)
def _machine_font(block: int) -> Path | None:
    """The installed font with the most characters of a block; the most common one of several."""
    from matplotlib.font_manager import findSystemFonts

    def unusual(path: str) -> tuple[int, str]:
        return sum(word in Path(path).name.lower().replace("sans", "") for word in UNUSUAL), path

    characters = range(block << BLOCK_BITS, (block + 1) << BLOCK_BITS)
    best, most = None, 0
    for path in map(Path, sorted(findSystemFonts(), key=unusual)):
        try:
            face = _opened(path)
            found = sum(face.get_char_index(character) != 0 for character in characters)
            if found > most:
                _truetype(path, 12)  # bitmap colour fonts have fixed sizes
                best, most = path, found
        except (OSError, RuntimeError, ValueError):  # damaged or unsupported
            continue
    return best


@lru_cache(16)
def _face(path: Path) -> FT2Font:
    return _opened(path)


def _opened(path: Path) -> FT2Font:
    from matplotlib.ft2font import FT2Font

    return FT2Font(str(path))


@lru_cache(64)
def _truetype(path: Path, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size)
