"""A book as a PDF whose text can be selected: DejaVu Serif, and this machine's fonts for what that does not have.

fpdf2 sets the text. Scripts that are written from right to left, or whose letters change their shapes with their
neighbours, are refused, because they would be set wrongly; a browser sets and prints them from the HTML book.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import final

from fpdf import FPDF
from matplotlib import get_data_path
from matplotlib.ft2font import FT2Font
from PIL import Image

from t2i.arguments import shown
from t2i.errors import InvalidInputError
from t2i.files import write_atomic
from t2i.lettering.fonts import font_with
from t2i_apps.story.draw import Leaf

WIDTH, HEIGHT, MARGIN, FOOT = 148.0, 210.0, 17.0, 12.0  # mm: A5
PICTURE = 100.0  # mm, its side
FINE = 256  # pixels, its least width
TEXT, HEADING, TITLE, SMALL = 12.0, 15.0, 26.0, 9.0  # pt
LEADING = 1.5  # lines
POINT = 25.4 / 72  # mm
FAMILY = "book"
SERIF = Path(get_data_path(), "fonts", "ttf", "DejaVuSerif.ttf")
SHAPED = ((0x0900, 0x109F), (0x1780, 0x18AF), (0x1A00, 0x1AAF), (0xA800, 0xAAFF))  # Indic and South East Asian blocks


def check_letters(texts: Iterable[str]) -> list[Path]:
    """The fonts that the texts need in addition to DejaVu Serif.

    Raises:
        InvalidInputError: no font on this machine has a letter, or it is of a script that cannot be set.
    """
    serif, fonts = FT2Font(str(SERIF)), dict[Path, None]()
    for letter in sorted(set("".join(texts))):
        if unicodedata.bidirectional(letter) in ("R", "AL") or any(a <= ord(letter) <= z for a, z in SHAPED):
            raise InvalidInputError(
                f"A PDF can only have scripts that are written from left to right and whose letters do not join, got "
                f"{shown(letter)} ({unicodedata.name(letter, 'no name')}). Write the book as .html, and print that "
                f"from a browser."
            )
        if letter.isspace() or unicodedata.category(letter)[0] == "C" or serif.get_char_index(ord(letter)):
            continue
        font = font_with(letter)
        if font is None:
            raise InvalidInputError(
                f"No font on this machine has {shown(letter)} ({unicodedata.name(letter, 'no name')}). Install one, "
                f"such as Noto (on Debian: fonts-noto-core, fonts-noto-cjk), or write the book as .html."
            )
        fonts[font] = None
    return list(fonts)


def write_pdf(path: Path, title: str, leaves: Sequence[Leaf], made_by: str, lang: str = "en") -> None:
    """Write the book on A5 pages.

    Args:
        made_by: a sentence on the last page.
        lang: of the text, such as "en".

    Raises:
        InvalidInputError: as `check_letters`.
        OutputError: it cannot be written.
    """
    texts = (text for leaf in leaves for text in (leaf.paragraph.heading, leaf.paragraph.text))
    book = _Book(check_letters([title, made_by, *texts]))
    book.set_title(title)
    book.set_lang(lang)
    if title:
        book.cover(title)
    for leaf in leaves:
        book.leaf(leaf)
    book.colophon(made_by)
    write_atomic(path, bytes(book.output()))


@final
class _Book(FPDF):
    def __init__(self, fonts: Sequence[Path]) -> None:
        super().__init__(format=(WIDTH, HEIGHT))
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(True, MARGIN + FOOT / 2)
        self.add_font(FAMILY, fname=SERIF)
        others = [f"{FAMILY}{number}" for number in range(len(fonts))]
        for name, font in zip(others, fonts, strict=True):
            self.add_font(name, fname=font)
        self.set_fallback_fonts(others)
        self.set_creator("t2i")
        self._number = 0  # of the page; 0 for a page without one

    def cover(self, title: str) -> None:
        self.add_page()
        self.set_y(HEIGHT / 3)
        self._write(title, TITLE, "C", leading=1.2)

    def leaf(self, leaf: Leaf) -> None:
        self.add_page()
        self._number += 1
        with Image.open(leaf.picture) as picture:
            width = PICTURE * min(1, picture.width / picture.height)
            self.image(_fine(picture.convert("RGB")), (WIDTH - width) / 2, MARGIN, width, alt_text=leaf.prompt)
        self.set_y(MARGIN + PICTURE + 8)
        if leaf.paragraph.heading:
            self.start_section(leaf.paragraph.heading)
            self._write(leaf.paragraph.heading, HEADING, "L", leading=1.25)
            self.ln(2)
        self._write(leaf.paragraph.text, TEXT, "L")

    def colophon(self, made_by: str) -> None:
        self.add_page()
        self._number = 0
        self.set_y(HEIGHT - 3 * MARGIN)
        self._write(made_by, SMALL, "C")

    def footer(self) -> None:
        """The number of the page, written by fpdf2 when a page ends."""
        if self._number:
            self.set_y(-FOOT - 3)
            self._write(str(self._number), SMALL, "C")

    def _write(self, text: str, size: float, align: str, leading: float = LEADING) -> None:
        self.set_font(FAMILY, size=size)
        self.multi_cell(0, size * POINT * leading, text, align=align, new_x="LMARGIN", new_y="NEXT")


def _fine(picture: Image.Image) -> Image.Image:
    """The picture, enlarged if it is so small that its pixels would be seen on paper."""
    times = -(-FINE // picture.width)
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.LANCZOS)
