"""Write a book as one HTML file or as a PDF."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from t2i.arguments import shown
from t2i.errors import InvalidInputError
from t2i_apps.pages.render import write_page
from t2i_apps.story.draw import Leaf
from t2i_apps.story.text import Paragraph

LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")  # BCP 47
PDF = ".pdf"


def check_book(path: Path, title: str, paragraphs: Sequence[Paragraph], lang: str) -> None:
    """Check, before anything is drawn, that the book can be written.

    Raises:
        InvalidInputError: `lang` is no language tag, or a letter cannot be set in a PDF.
    """
    if not LANGUAGE.fullmatch(lang):
        raise InvalidInputError(f"A language is given by its tag, such as en or pt-BR, got {shown(lang)}.")
    if path.suffix.lower() == PDF:
        from t2i_apps.story.pdf import check_letters

        check_letters([title, *(text for each in paragraphs for text in (each.heading, each.text))])


def write_book(path: Path, title: str, leaves: Sequence[Leaf], made_by: str, lang: str = "en") -> None:
    """Write the book to `path`: as a PDF if it ends in .pdf, otherwise as HTML.

    The HTML is one file that loads nothing; its pictures are the PNG files as they are, with provenance.

    Args:
        made_by: a sentence on the last page.
        lang: of the text, such as "en".

    Raises:
        InvalidInputError: a letter cannot be set in a PDF.
        OutputError: it cannot be written.
    """
    if path.suffix.lower() == PDF:
        from t2i_apps.story.pdf import write_pdf

        write_pdf(path, title, leaves, made_by, lang)
    else:
        write_page(path, "book.html", title=title, leaves=_shown(leaves), made_by=made_by, lang=lang)


def _shown(leaves: Sequence[Leaf]) -> Iterator[dict[str, str]]:
    for leaf in leaves:
        yield {
            "heading": leaf.paragraph.heading,
            "text": leaf.paragraph.text,
            "prompt": leaf.prompt,
            "png": base64.b64encode(leaf.picture.read_bytes()).decode(),
        }
